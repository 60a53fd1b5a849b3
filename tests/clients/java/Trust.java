// Makes one call with one library and prints a JSON line: its text, or why there was none.
//
// Usage: Trust httpclient|openai|anthropic
// Without an SDK it calls TEST_ORIGIN. Nothing here knows of a proxy or a certificate.

import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.models.messages.MessageCreateParams;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Map;

public final class Trust {
    private static final String QUESTION = "When does the tide turn?";
    private static final ObjectMapper JSON = new ObjectMapper();

    private static String httpClient() throws Exception {
        String body = "{\"model\":\"gpt-5-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"" + QUESTION + "\"}]}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("TEST_ORIGIN") + "/v1/chat/completions"))
                .header("Authorization", "Bearer " + System.getenv("OPENAI_API_KEY"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        return JSON.readTree(answer.body()).at("/choices/0/message/content").asText();
    }

    private static String openai() {
        var client = OpenAIOkHttpClient.builder().fromEnv().maxRetries(0).build();
        var question = ChatCompletionCreateParams.builder().model("gpt-5-mini").addUserMessage(QUESTION).build();
        return client.chat().completions().create(question).choices().get(0).message().content().orElseThrow();
    }

    private static String anthropic() {
        var client = AnthropicOkHttpClient.builder().fromEnv().maxRetries(0).build();
        var question = MessageCreateParams.builder().model("claude-sonnet-5-5").maxTokens(256).addUserMessage(QUESTION).build();
        return client.messages().create(question).content().get(0).asText().text();
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> told = new LinkedHashMap<>();
        try {
            String text = switch (arguments[0]) {
                case "httpclient" -> httpClient();
                case "openai" -> openai();
                case "anthropic" -> anthropic();
                default -> throw new IllegalArgumentException(arguments[0]);
            };
            told.put("ok", true);
            told.put("text", text);
        } catch (Exception error) {
            StringBuilder causes = new StringBuilder();
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                causes.append(causes.isEmpty() ? "" : " < ").append(cause);
            }
            told.put("ok", false);
            told.put("error", causes.toString());
        }
        System.out.println(JSON.writeValueAsString(told));
        System.exit(0);
    }
}

// A service of the company by Java's own client, then a model by the official SDK: Stored URL [MODEL]. Prints a line of JSON, {NAME: text}, or what
// went wrong in the place of a text. Nothing here knows of a certificate.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;

public final class Stored {
    private static final Map<String, String> SAID = new LinkedHashMap<>();

    private static void say(String name, Callable<String> client) {
        try {
            SAID.put(name, client.call());
        } catch (Exception error) {
            SAID.put(name, error + " < " + error.getCause());
        }
    }

    private static String httpClient(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    private static String openai(String model) {
        var question = ChatCompletionCreateParams.builder().model(model).addUserMessage("Where is the harbour?").build();
        var client = OpenAIOkHttpClient.fromEnv();
        return client.chat().completions().create(question).choices().get(0).message().content().orElseThrow();
    }

    public static void main(String[] words) throws Exception {
        say("HttpClient", () -> httpClient(words[0]));
        if (words.length > 1) {
            say("openai", () -> openai(words[1]));
        }
        System.out.println(new ObjectMapper().writeValueAsString(SAID));
        System.exit(0);
    }
}

// Makes one call with one library and prints a JSON line: its text, or why there was none.
//
// Usage: trust http|openai|anthropic|genai
// Without an SDK it calls TEST_ORIGIN. Nothing here knows of a proxy or a certificate.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"google.golang.org/genai"
)

const question = "When does the tide turn?"

func overHTTP(ctx context.Context) (string, error) {
	body, _ := json.Marshal(map[string]any{
		"model":    "gpt-5-mini",
		"messages": []map[string]string{{"role": "user", "content": question}},
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("TEST_ORIGIN")+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", fmt.Errorf("status %d without choices", response.StatusCode)
	}
	return answer.Choices[0].Message.Content, nil
}

func overOpenAI(ctx context.Context) (string, error) {
	client := openai.NewClient(openaioption.WithMaxRetries(0))
	answer, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model:    "gpt-5-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
	})
	if err != nil {
		return "", err
	}
	return answer.Choices[0].Message.Content, nil
}

func overAnthropic(ctx context.Context) (string, error) {
	client := anthropic.NewClient(anthropicoption.WithMaxRetries(0))
	answer, err := client.Messages.New(ctx, anthropic.MessageNewParams{
		Model:     "claude-sonnet-5-5",
		MaxTokens: 256,
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))},
	})
	if err != nil {
		return "", err
	}
	return answer.Content[0].Text, nil
}

func overGenAI(ctx context.Context) (string, error) {
	client, err := genai.NewClient(ctx, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text(question), nil)
	if err != nil {
		return "", err
	}
	return answer.Text(), nil
}

func main() {
	clients := map[string]func(context.Context) (string, error){
		"http": overHTTP, "openai": overOpenAI, "anthropic": overAnthropic, "genai": overGenAI,
	}
	told := map[string]any{"ok": true}
	if text, err := clients[os.Args[1]](context.Background()); err != nil {
		told = map[string]any{"ok": false, "error": err.Error()}
	} else {
		told["text"] = text
	}
	line, _ := json.Marshal(told)
	fmt.Println(string(line))
}

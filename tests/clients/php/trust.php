<?php
// Makes one call with one of PHP's two ways and prints a JSON line: its text, or why there was none.
//
// Usage: trust.php streams|curl
// It calls TEST_ORIGIN. Nothing here knows of a proxy or a certificate.

$url = getenv('TEST_ORIGIN') . '/v1/chat/completions';
$headers = ['Authorization: Bearer ' . getenv('OPENAI_API_KEY'), 'Content-Type: application/json'];
$body = json_encode(['model' => 'gpt-5-mini', 'messages' => [['role' => 'user', 'content' => 'When does the tide turn?']]]);

$error = null;
if ($argv[1] === 'curl') {
    $curl = curl_init($url);
    curl_setopt_array($curl, [CURLOPT_POSTFIELDS => $body, CURLOPT_HTTPHEADER => $headers, CURLOPT_RETURNTRANSFER => true]);
    $answer = curl_exec($curl);
    $error = curl_error($curl);
} else {
    $context = stream_context_create(['http' => ['method' => 'POST', 'header' => $headers, 'content' => $body]]);
    $answer = @file_get_contents($url, false, $context);
    $error = error_get_last()['message'] ?? null;
}
$told = is_string($answer) ? json_decode($answer, true) : null;
$text = $told['choices'][0]['message']['content'] ?? null;
echo json_encode($text === null ? ['ok' => false, 'error' => $error ?: $answer] : ['ok' => true, 'text' => $text]), "\n";

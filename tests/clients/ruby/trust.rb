# Makes one call with net/http and prints a JSON line: its text, or why there was none.
# It calls TEST_ORIGIN. Nothing here knows of a proxy or a certificate.

require 'json'
require 'net/http'

begin
  uri = URI("#{ENV.fetch('TEST_ORIGIN')}/v1/chat/completions")
  headers = { 'Authorization' => "Bearer #{ENV.fetch('OPENAI_API_KEY')}", 'Content-Type' => 'application/json' }
  body = { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'When does the tide turn?' }] }
  answer = JSON.parse(Net::HTTP.post(uri, body.to_json, headers).body)
  puts({ ok: true, text: answer['choices'][0]['message']['content'] }.to_json)
rescue StandardError => e
  puts({ ok: false, error: "#{e.class}: #{e.message}" }.to_json)
end

<?php
// Passes a chat completion on to the upstream, and each piece of the answer on to the caller as it comes.
$curl = curl_init($_SERVER['UPSTREAM'] . '/chat/completions');
curl_setopt_array($curl, [
    CURLOPT_POSTFIELDS => file_get_contents('php://input'),
    CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    CURLOPT_HEADERFUNCTION => function ($curl, $line) {
        if (stripos($line, 'Content-Type:') === 0) {
            http_response_code(curl_getinfo($curl, CURLINFO_RESPONSE_CODE));
            header(trim($line));
        }
        return strlen($line);
    },
    CURLOPT_WRITEFUNCTION => function ($curl, $piece) {
        echo $piece;
        flush();
        return strlen($piece);
    },
]);
curl_exec($curl) || http_response_code(502);

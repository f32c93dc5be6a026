// The description of the endpoints as OpenAPI 3.1: the answer to `GET …/openapi.json`. A test holds it against the real answers.

/// What has a type here is what Sluice checks (`RequestCheck`, `RequestReader`); a change there is a change here. The statuses are
/// those of `ChatError`, and what the web servers in front answer themselves has the same form.
let openAPIDocument = [UInt8](
    #"""
    {
      "openapi": "3.1.0",
      "info": {
        "title": "Sluice",
        "version": "\#(sluiceVersion)",
        "summary": "OpenAI-compatible chat completions.",
        "description": "Sluice forwards each chat to the upstream that its settings name, and hands on every server-sent event as it comes. It answers on any path with these endings: `/chat/completions` and `/v1/chat/completions` are the same.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
      },
      "servers": [{ "url": ".", "description": "The folder of this document's own URL." }],
      "security": [{ "token": [] }],
      "paths": {
        "/chat/completions": {
          "post": {
            "operationId": "createChatCompletion",
            "summary": "Answer a chat, streamed or whole.",
            "parameters": [
              { "$ref": "#/components/parameters/RequestID" },
              {
                "name": "custom_session_id",
                "in": "query",
                "description": "Hume's session. It comes back as the `system_fingerprint` of the answer, and of each chunk of a stream.",
                "schema": { "type": "string" }
              },
              {
                "name": "X-Client-Request-Id",
                "in": "header",
                "description": "Goes to the upstream when it is 1 to 512 printable ASCII characters; else the request's id does.",
                "schema": { "type": "string" }
              },
              {
                "name": "traceparent",
                "in": "header",
                "description": "W3C Trace Context. Goes to the upstream when it is 1 to 512 printable ASCII characters.",
                "schema": { "type": "string" }
              }
            ],
            "requestBody": {
              "required": true,
              "description": "At most 8 MiB, objects and arrays at most 64 deep; both are settings. The body is read as JSON whatever its Content-Type says.",
              "content": {
                "application/json": {
                  "schema": { "$ref": "#/components/schemas/ChatRequest" },
                  "examples": {
                    "streamed": {
                      "value": {
                        "model": "gpt-4o-mini",
                        "stream": true,
                        "messages": [{ "role": "user", "content": "Tell me a joke" }]
                      }
                    },
                    "whole": {
                      "value": {
                        "model": "gpt-4o-mini",
                        "max_tokens": 250,
                        "messages": [
                          { "role": "system", "content": "You are brief." },
                          { "role": "user", "content": [{ "type": "text", "text": "Tell me a joke" }] }
                        ]
                      }
                    }
                  }
                }
              }
            },
            "responses": {
              "200": {
                "description": "The upstream's answer. It is a stream when the request asked for one: the status is held back until the first event is real.",
                "headers": {
                  "X-Request-Id": { "$ref": "#/components/headers/RequestID" },
                  "X-Upstream-Request-Id": { "$ref": "#/components/headers/UpstreamRequestID" }
                },
                "content": {
                  "application/json": { "schema": { "$ref": "#/components/schemas/ChatCompletion" } },
                  "text/event-stream": { "schema": { "$ref": "#/components/schemas/ServerSentEvent" } }
                }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "403": { "$ref": "#/components/responses/Forbidden" },
              "404": { "$ref": "#/components/responses/NotFound" },
              "405": { "$ref": "#/components/responses/MethodNotAllowed" },
              "413": { "$ref": "#/components/responses/TooLarge" },
              "415": { "$ref": "#/components/responses/Compressed" },
              "422": { "$ref": "#/components/responses/Unprocessable" },
              "429": { "$ref": "#/components/responses/TooManyRequests" },
              "500": { "$ref": "#/components/responses/Defect" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        },
        "/models": {
          "get": {
            "operationId": "listModels",
            "summary": "The models that the settings name.",
            "description": "Models that the settings match by a pattern can be asked for too, but are not listed.",
            "parameters": [{ "$ref": "#/components/parameters/RequestID" }],
            "responses": {
              "200": {
                "description": "OpenAI's list object.",
                "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestID" } },
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ModelList" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "403": { "$ref": "#/components/responses/Forbidden" },
              "405": { "$ref": "#/components/responses/MethodNotAllowed" },
              "413": { "$ref": "#/components/responses/TooLarge" },
              "429": { "$ref": "#/components/responses/TooManyRequests" },
              "500": { "$ref": "#/components/responses/Defect" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        },
        "/openapi.json": {
          "get": {
            "operationId": "describe",
            "summary": "This document.",
            "parameters": [{ "$ref": "#/components/parameters/RequestID" }],
            "responses": {
              "200": {
                "description": "OpenAPI 3.1.",
                "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestID" } },
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["openapi", "info", "paths"],
                      "properties": { "openapi": { "const": "3.1.0" } }
                    }
                  }
                }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "403": { "$ref": "#/components/responses/Forbidden" },
              "405": { "$ref": "#/components/responses/MethodNotAllowed" },
              "413": { "$ref": "#/components/responses/TooLarge" },
              "429": { "$ref": "#/components/responses/TooManyRequests" },
              "500": { "$ref": "#/components/responses/Defect" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        }
      },
      "components": {
        "securitySchemes": {
          "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The web server in front of Sluice checks it. A caller that cannot send headers puts it into the path: `/v/TOKEN/chat/completions`."
          }
        },
        "parameters": {
          "RequestID": {
            "name": "X-Request-Id",
            "in": "header",
            "description": "The request's id in the answer, the log and at the upstream, when it is 1 to 128 letters, digits and `-_.:`; else one is made.",
            "schema": { "type": "string" }
          }
        },
        "headers": {
          "RequestID": {
            "required": true,
            "description": "The request's id.",
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$" }
          },
          "RequestIDOfError": {
            "description": "The request's id; not there when the web server answered itself.",
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$" }
          },
          "UpstreamRequestID": {
            "description": "The upstream's `x-request-id`. Its `x-ratelimit-*` headers come through too.",
            "schema": { "type": "string" }
          },
          "RetryAfter": {
            "description": "When to try again: whole seconds, or what the upstream said. Its `retry-after-ms` comes through too.",
            "schema": { "type": "string" }
          }
        },
        "responses": {
          "BadRequest": {
            "description": "The request is malformed; `param` names the parameter at fault. Or the upstream refused it.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "Unauthorized": {
            "description": "The token is missing or unknown; or the upstream does not know the caller's own key, where that is passed on.",
            "headers": {
              "WWW-Authenticate": { "description": "`Bearer`.", "schema": { "type": "string" } },
              "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" }
            },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "Forbidden": {
            "description": "The web server, or the upstream where the caller's own key is passed on, does not allow it.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "NotFound": {
            "description": "The upstream has no such model. Other paths than those of this document are answered so too.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "MethodNotAllowed": {
            "description": "The path has another method.",
            "headers": {
              "Allow": { "required": true, "schema": { "enum": ["GET, HEAD", "POST"] } },
              "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" }
            },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } }
          },
          "TooLarge": {
            "description": "The body is above the limit, here or at the upstream.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "Compressed": {
            "description": "The request body is in a content coding; Accept-Encoding names what is taken.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestID" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } }
          },
          "Unprocessable": {
            "description": "The upstream refused the request.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestID" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "TooManyRequests": {
            "description": "Above the limits of this token, or of the upstream.",
            "headers": {
              "Retry-After": { "$ref": "#/components/headers/RetryAfter" },
              "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" }
            },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Verdict" } } }
          },
          "Defect": {
            "description": "A defect of this server.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" } },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } }
          },
          "Unavailable": {
            "description": "The upstream failed, cannot be reached or took too long; or this server takes no more requests.",
            "headers": {
              "Retry-After": { "$ref": "#/components/headers/RetryAfter" },
              "X-Request-Id": { "$ref": "#/components/headers/RequestIDOfError" }
            },
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } }
          }
        },
        "schemas": {
          "ChatRequest": {
            "type": "object",
            "description": "What has a type here is checked by Sluice. What has none goes to the upstream as it is, for it to judge. A null counts as absent. Parameters that are not in this list may be sent and are dropped, unless the settings add them. Of a name that comes twice the last counts.",
            "required": ["messages"],
            "maxProperties": 1024,
            "properties": {
              "messages": {
                "type": "array",
                "minItems": 1,
                "description": "The chat so far, oldest first. It goes to the upstream byte for byte.",
                "items": { "$ref": "#/components/schemas/Message" }
              },
              "model": { "type": ["string", "null"], "description": "At most 256 bytes of UTF-8. Without it the settings' default is asked." },
              "stream": {
                "type": ["boolean", "null"],
                "description": "Whether to answer with server-sent events. Without it only a request with Vapi's fields is streamed."
              },
              "stream_options": {
                "type": ["object", "null"],
                "properties": {
                  "include_usage": { "type": ["boolean", "null"], "description": "Whether a last chunk tells the usage." }
                }
              },
              "max_tokens": { "type": ["number", "null"], "description": "The older name of `max_completion_tokens`." },
              "max_completion_tokens": { "type": ["number", "null"], "description": "The most tokens to answer with; the upstream wants an integer." },
              "tools": { "type": ["array", "null"], "description": "What the model may call. An empty list is dropped, and with it `tool_choice` and `parallel_tool_calls`." },
              "functions": { "type": ["array", "null"], "description": "The older form of `tools`. An empty list is dropped, and with it `function_call`." },
              "metadata": { "description": "Forwarded when `store` is true, it has at most 16 entries, all text, and no Vapi field is there; else dropped." },
              "audio": { "description": "How to speak the answer." },
              "frequency_penalty": { "description": "How much to avoid what was said often." },
              "function_call": { "description": "The older form of `tool_choice`." },
              "logit_bias": { "description": "Which tokens to prefer or to avoid." },
              "logprobs": { "description": "Whether to tell the tokens' probabilities." },
              "modalities": { "description": "The kinds of answer: text, audio." },
              "moderation": { "description": "How to moderate the chat." },
              "n": { "description": "How many answers to give." },
              "parallel_tool_calls": { "description": "Whether several tools may be called at once." },
              "prediction": { "description": "Text that the answer will mostly repeat." },
              "presence_penalty": { "description": "How much to avoid what was said at all." },
              "prompt_cache_key": { "description": "What ties similar requests together for the prompt cache." },
              "prompt_cache_options": { "description": "How the prompt is cached." },
              "prompt_cache_retention": { "description": "How long the prompt is cached." },
              "reasoning_effort": { "description": "How much to think first." },
              "response_format": { "description": "The form of the answer: text or JSON." },
              "safety_identifier": { "description": "Who the end user is, without saying it." },
              "seed": { "description": "For answers that can be had again." },
              "service_tier": { "description": "The upstream's class of service." },
              "stop": { "description": "Where to stop." },
              "store": { "description": "Whether the upstream keeps the answer." },
              "temperature": { "description": "How much chance there is in the answer." },
              "tool_choice": { "description": "Which tool to call, if any." },
              "top_logprobs": { "description": "For how many tokens to tell probabilities." },
              "top_p": { "description": "How much of the probability to sample from." },
              "user": { "description": "The end user." },
              "verbosity": { "description": "How long the answer should be." },
              "web_search_options": { "description": "How to search the web." },
              "call": { "description": "Vapi's. Never forwarded." },
              "phoneNumber": { "description": "Vapi's. Never forwarded." },
              "customer": { "description": "Vapi's. Never forwarded." },
              "assistant": { "description": "Vapi's. Never forwarded." },
              "assistantOverrides": { "description": "Vapi's. Never forwarded." },
              "user_id": { "description": "ElevenLabs'. Text goes to the upstream as `user`, where there is none." },
              "elevenlabs_extra_body": { "description": "ElevenLabs'. Never forwarded; the call's id in the log is taken from its `conversation_id`." }
            }
          },
          "Message": {
            "type": "object",
            "required": ["role"],
            "properties": {
              "role": { "type": "string", "description": "`system`, `developer`, `user`, `assistant`, `tool`, …" },
              "content": {
                "type": ["string", "array", "null"],
                "description": "Text, or parts such as `{\"type\":\"text\",\"text\":\"Hello\"}`."
              }
            }
          },
          "ChatCompletion": {
            "type": "object",
            "description": "As the upstream sent it.",
            "required": ["choices"],
            "properties": {
              "choices": { "type": "array" },
              "system_fingerprint": { "description": "The upstream's, or Hume's session." }
            }
          },
          "ServerSentEvent": {
            "type": "object",
            "description": "One event of the stream. A stream that is whole ends with `[DONE]`; one that broke off ends with an error, without it.",
            "required": ["data"],
            "properties": {
              "data": {
                "type": "string",
                "anyOf": [
                  { "const": "[DONE]" },
                  {
                    "contentMediaType": "application/json",
                    "contentSchema": {
                      "anyOf": [
                        { "$ref": "#/components/schemas/ChatCompletionChunk" },
                        { "$ref": "#/components/schemas/Verdict" },
                        { "$ref": "#/components/schemas/ErrorText" }
                      ]
                    }
                  }
                ]
              }
            }
          },
          "ChatCompletionChunk": {
            "type": "object",
            "description": "As the upstream sent it.",
            "required": ["choices"],
            "properties": {
              "choices": { "type": "array", "description": "Empty in the chunk that tells the usage." },
              "system_fingerprint": { "description": "The upstream's, or Hume's session." }
            }
          },
          "ModelList": {
            "type": "object",
            "required": ["object", "data"],
            "properties": {
              "object": { "const": "list" },
              "data": {
                "type": "array",
                "items": {
                  "type": "object",
                  "required": ["id", "object", "created", "owned_by"],
                  "properties": {
                    "id": { "type": "string", "description": "What `model` can be." },
                    "object": { "const": "model" },
                    "created": { "type": "integer", "description": "Seconds since 1970." },
                    "owned_by": { "const": "sluice" }
                  }
                }
              }
            }
          },
          "Verdict": {
            "description": "An error that is Sluice's, the web server's, or the upstream's verdict on the request.",
            "anyOf": [{ "$ref": "#/components/schemas/Error" }, { "$ref": "#/components/schemas/UpstreamError" }]
          },
          "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {
              "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                  "message": { "type": "string", "minLength": 1, "description": "What happened and what to do, for people." },
                  "type": {
                    "description": "The class of error.",
                    "enum": [
                      "invalid_request_error",
                      "authentication_error",
                      "permission_error",
                      "rate_limit_error",
                      "overloaded_error",
                      "server_error",
                      "upstream_error",
                      "upstream_timeout"
                    ]
                  },
                  "param": { "type": ["string", "null"], "description": "The parameter at fault, such as `messages[3].role`." },
                  "code": { "type": ["string", "null"], "description": "The exact kind, for programs." }
                }
              }
            }
          },
          "UpstreamError": {
            "type": "object",
            "description": "The upstream's own error object, as it sent it.",
            "required": ["error"],
            "properties": {
              "error": {
                "type": "object",
                "required": ["message"],
                "properties": { "message": { "type": "string", "minLength": 1 } }
              }
            }
          },
          "ErrorText": {
            "type": "object",
            "description": "An error of a stream with the setting `errors = \"sse\"`, whose status is 200.",
            "required": ["error"],
            "properties": { "error": { "type": "string", "minLength": 1 } }
          }
        }
      }
    }
    """#.utf8)

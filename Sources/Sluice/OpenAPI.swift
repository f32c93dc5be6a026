// The description of the endpoints as OpenAPI 3.1: the answer to `GET …/openapi.json`.

let openAPIDocument = [UInt8](#"{"openapi":"3.1.0","info":{"title":"Sluice","version":"1"},"paths":{}}"#.utf8)

// The description of the endpoints as OpenAPI 3.1: the answer to `GET …/openapi.json`. A test holds it against the real answers.

/// `openapi.json` beside this file, as the build has put it into the binary.
///
/// What has a type there is what Sluice checks (`RequestReader`, and `[RequestMember].check`); a change there is a change here. The statuses are
/// those of `ChatError`, and what the web servers in front answer themselves has the same form.
let openAPIDocument = PackageResources.openapi_json

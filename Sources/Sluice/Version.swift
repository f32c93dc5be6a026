/// The release, as `sluice --version` prints it and as upstreams see it in `User-Agent`.
let sluiceVersion = "0.1.0"

# Turns sluice.tokens (TOKEN NAME; one a line) into lighttpd conditions that admit these clients. Run by sluice.conf at start and reload.
# Whatever could be more than a token or a name in lighttpd's syntax is refused: a bad line is an error, not a way in.

function refuse(reason) {
    print "sluice.tokens, line " NR ": " reason > "/dev/stderr"
    exit 1
}
{ sub(/#.*/, ""); sub(/;[ \t\r]*$/, "") }
NF == 0 { next }
NF != 2 { refuse("expected TOKEN NAME;") }
$1 !~ /^[A-Za-z0-9._~+=-]+$/ { refuse("a token may have letters, digits and . _ ~ + = - alone") }
$2 !~ /^[A-Za-z0-9._@+-]+$/ || length($2) > 128 { refuse("a name may have letters, digits and . _ - @ + alone, 128 of them at most") }
{
    route = ""
    # With this line each client sees the [[models]] of its own name alone.
    #route = ", \"SLUICE_ROUTE\" => \"" $2 "\""
    admit = "auth.require = () setenv.set-response-header = () setenv.set-environment = (\"SLUICE_CLIENT\" => \"" $2 "\"" route ")"
    # A header that holds a token is not handed on to Sluice, which needs none, and not to an upstream with key = "passthrough" either.
    hide = "setenv.set-request-header = (\"Authorization\" => \"\")"
    pattern = $1
    gsub(/[.+]/, "[&]", pattern)
    header = "$REQUEST_HEADER[\"Authorization\"] =~ \"^(?i:bearer) +" pattern " *$\""
    print header " { " hide " }"
    # A token in the path must be right, whatever the header says.
    print "$HTTP[\"url\"] !~ \"^/v/\" { " header " { " admit " } }"
    # For platforms that cannot send headers, and for callers with a key of their own: then Authorization is theirs, and goes on.
    print "$HTTP[\"url\"] =^ \"/v/" $1 "/\" { " admit " }"
}

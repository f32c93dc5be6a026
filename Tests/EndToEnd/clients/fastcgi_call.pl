# One request over FastCGI by Perl's FCGI::Client: its answer, head and body.
#
# usage: perl fastcgi_call.pl SOCKET BODY
use strict;
use warnings;
use FCGI::Client;
use IO::Socket::UNIX;

my ($path, $body) = @ARGV;
my $socket = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
my ($output, $errors) = FCGI::Client::Connection->new(sock => $socket)->request(
    {
        REQUEST_METHOD => 'POST', SCRIPT_NAME => '/v1/chat/completions', CONTENT_TYPE => 'application/json',
        CONTENT_LENGTH => length $body, SLUICE_CLIENT => 'perl',
    },
    $body
);
die $errors if $errors;
print $output;

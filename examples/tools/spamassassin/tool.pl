# The system's SpamAssassin with its own rules, without the network and without learning.
use strict;
use warnings;
use JSON::PP;
use Mail::SpamAssassin;

$| = 1;
my $json = JSON::PP->new->utf8;
my $filter = Mail::SpamAssassin->new({
    local_tests_only   => 1,
    dont_copy_prefs    => 1,
    require_rules      => 1,
    userprefs_filename => '/dev/null',
    userstate_dir      => $ENV{TMPDIR},
    post_config_text   => "use_bayes 0\nuse_auto_whitelist 0\nuse_txrep 0\n",
});
$filter->compile_now(0, 1);
print "{\"ready\":1}\n";
while (my $line = <STDIN>) {
    my $item = $json->decode($line);
    my ($sender, $subject, $text) = map { $item->{$_} // '' } qw(sender subject text);
    for ($sender, $subject) { s/\s+/ /g; utf8::encode($_); }
    utf8::encode($text);
    my $mail = "From: $sender\nTo: <desk\@example.com>\nSubject: $subject\n"
        . "Date: Sat, 28 Nov 2026 08:00:00 +0000\nMessage-ID: <$item->{id}\@example.com>\n"
        . "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        . "Content-Transfer-Encoding: 8bit\n\n$text\n";
    my $status = $filter->check_message_text($mail);
    my $answer = {
        id      => $item->{id},
        verdict => $status->is_spam ? 'malicious' : 'benign',
        reason  => $status->get_names_of_tests_hit,
    };
    $status->finish;
    print $json->encode($answer), "\n";
}

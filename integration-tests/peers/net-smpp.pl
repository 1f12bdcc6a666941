#!/usr/bin/perl
# An SMSC on Net::SMPP, a second codec that shares nothing with ours; the same words on stdin and stdout as node-smpp.js.
#
# usage: perl net-smpp.pl PORT [PASSWORD]
use strict;
use warnings;

use Encode qw(decode encode);
use IO::Select;
use JSON::PP;
use Net::SMPP;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my ($port, $password) = @ARGV;
use constant { ROK => 0, RINVPASWD => 0x0e, RTHROTTLED => 0x58, RETRY_SECONDS => 0.5 };

$| = 1;
$SIG{PIPE} = 'IGNORE';
my $json = JSON::PP->new->utf8->canonical;
my %bound;         # sessions by their descriptor
my %receives;      # those that may be sent to
my %asked;         # our own requests but deliver_sm, by session and sequence number => event of its answer
my %owed;          # deliver_sm not yet acknowledged, by our own key: sent again on refusal and on every bind
my %sent;          # session and sequence number => key
my @unanswered;    # submits that were met with silence
my %orders = (receipts => 1, throttle => 0, silent => 0, refuse => { count => 0, status => 0 });
my $last_id = int(time * 1000) % 1_000_000_000;    # another life of this SMSC gives other ids
my $last_key = 0;

sub tell_event { my (%event) = @_; print $json->encode(\%event), "\n"; return }

# The coding of a text by its data_coding: GSM 03.38 unpacked, Latin-1, UCS-2.
sub text_of {
    my ($octets, $coding) = @_;
    return decode('UTF-16BE', $octets) if $coding == 8;
    return decode('ISO-8859-1', $octets) if $coding == 3;
    return decode('gsm0338', $octets);
}

sub split_header {
    my ($octets, $esm_class) = @_;
    return (undef, $octets) unless $esm_class & 0x40;
    my $length = ord substr $octets, 0, 1;
    my ($element, undef, @values) = unpack 'C*', substr $octets, 1, $length;
    my $part =
        $element == 0x00 ? { reference => $values[0], parts => $values[1], part => $values[2] }
      : $element == 0x08 ? { reference => $values[0] * 256 + $values[1], parts => $values[2], part => $values[3] }
      :                    undef;
    return ($part, substr $octets, $length + 1);
}

sub deliver {
    my ($key) = @_;
    my $entry = $owed{$key} or return;
    my ($session) = values %receives or return;
    $entry->{again_at} = undef;
    my $sequence = $session->deliver_sm(
        async => 1, service_type => '', source_addr_ton => 1, source_addr_npi => 1, dest_addr_ton => 0,
        dest_addr_npi => 1, protocol_id => 0, priority_flag => 0, schedule_delivery_time => '', validity_period => '',
        registered_delivery => 0, replace_if_present_flag => 0, sm_default_msg_id => 0, @{ $entry->{pdu} },
    );
    $sent{ $session->fileno . ":$sequence" } = $key;
    return;
}

sub owe {
    my ($what, $id, @pdu) = @_;
    $owed{ ++$last_key } = { what => $what, id => $id, pdu => \@pdu };
    return deliver($last_key);
}

sub receipt {
    my ($pdu, $id) = @_;
    my $now = strftime '%y%m%d%H%M', gmtime;
    return owe('receipt', $id,
        source_addr => $pdu->{destination_addr}, destination_addr => $pdu->{source_addr}, esm_class => 0x04,
        data_coding => 0,
        short_message => "id:$id sub:001 dlvrd:001 submit date:$now done date:$now stat:DELIVRD err:000 text:");
}

sub reply {
    my ($order) = @_;
    my $plain = $order->{text} =~ /\A[\x20-\x7e]*\z/;
    return owe('reply', undef,
        source_addr => $order->{from}, destination_addr => $order->{to}, esm_class => 0,
        data_coding => $plain ? 0 : 8,
        short_message => encode($plain ? 'gsm0338' : 'UTF-16BE', $order->{text}));
}

sub accept_submit {
    my ($session, $pdu, $id) = @_;
    $session->submit_sm_resp(seq => $pdu->{seq}, message_id => $id);
    receipt($pdu, $id) if $orders{receipts} && ($pdu->{registered_delivery} & 1);
    return;
}

sub submitted {
    my ($session, $pdu) = @_;
    my $answer =
        $orders{throttle} > 0      ? 'throttled'
      : $orders{refuse}{count} > 0 ? 'refused'
      : $orders{silent} > 0        ? 'silent'
      :                              'accepted';
    $last_id++;
    my $id = $answer =~ /accepted|silent/ ? "$last_id" : undef;
    my ($part, $octets) = split_header($pdu->{short_message}, $pdu->{esm_class});
    tell_event(
        event => 'submit', answer => $answer, id => $id, from => $pdu->{source_addr},
        from_ton => $pdu->{source_addr_ton}, to => $pdu->{destination_addr}, to_ton => $pdu->{dest_addr_ton},
        text => text_of($octets, $pdu->{data_coding}), concatenated => $part, data_coding => $pdu->{data_coding},
        esm_class => $pdu->{esm_class}, registered_delivery => $pdu->{registered_delivery},
        validity => length $pdu->{validity_period} ? JSON::PP::true : JSON::PP::false,
    );
    if ($answer eq 'throttled') {
        $orders{throttle}--;
        $session->submit_sm_resp(seq => $pdu->{seq}, message_id => '', status => RTHROTTLED);
    }
    elsif ($answer eq 'refused') {
        $orders{refuse}{count}--;
        $session->submit_sm_resp(seq => $pdu->{seq}, message_id => '', status => $orders{refuse}{status});
    }
    elsif ($answer eq 'silent') {
        $orders{silent}--;
        push @unanswered, [$session, $pdu, $id];
    }
    else { accept_submit($session, $pdu, $id) }
    return;
}

# By the command of a bind: what it is called, whether the session receives, and how it is answered.
my %binds = (
    Net::SMPP::CMD_bind_transceiver() => ['transceiver', 1, sub { shift->bind_transceiver_resp(@_) }],
    Net::SMPP::CMD_bind_transmitter() => ['transmitter', 0, sub { shift->bind_transmitter_resp(@_) }],
    Net::SMPP::CMD_bind_receiver()    => ['receiver',    1, sub { shift->bind_receiver_resp(@_) }],
);

sub take_bind {
    my ($session, $pdu) = @_;
    my ($kind, $receives, $answer) = @{ $binds{ $pdu->{cmd} } };
    if (defined $password && $pdu->{password} ne $password) {
        tell_event(event => 'bind_refused', system_id => $pdu->{system_id});
        $answer->($session, seq => $pdu->{seq}, system_id => '', status => RINVPASWD);
        return 0;
    }
    $answer->($session, seq => $pdu->{seq}, system_id => 'net-smpp');
    $bound{ $session->fileno } = $session;
    $receives{ $session->fileno } = $session if $receives;
    tell_event(
        event => 'bound', bind => $kind, system_id => $pdu->{system_id},
        interface_version => $pdu->{interface_version},
    );
    deliver($_) for sort { $a <=> $b } keys %owed;
    return 1;
}

# Asks every session something whose answer is told as this event.
sub ask {
    my ($request, $event) = @_;
    for my $session (values %bound) {
        my $sequence = $session->$request(async => 1);
        $asked{ $session->fileno . ":$sequence" } = $event;
    }
    return;
}

# An answer to what we asked; false when the session is over by it.
sub answered {
    my ($session, $pdu) = @_;
    my $event = delete $asked{ $session->fileno . ":$pdu->{seq}" } or return 1;
    tell_event(event => $event);
    return $event ne 'unbind_answered';
}

sub acknowledged {
    my ($session, $pdu) = @_;
    my $key = delete $sent{ $session->fileno . ":$pdu->{seq}" } or return;
    my $entry = $owed{$key} or return;
    tell_event(event => 'acknowledged', what => $entry->{what}, id => $entry->{id}, status => $pdu->{status});
    if ($pdu->{status} == ROK) { delete $owed{$key} }
    else                       { $entry->{again_at} = time + RETRY_SECONDS }
    return;
}

# One PDU; false when the session is over.
sub serve {
    my ($session) = @_;
    my $pdu = $session->read_pdu or return 0;
    my $command = $pdu->{cmd};
    return take_bind($session, $pdu) if $binds{$command};
    return answered($session, $pdu)
      if $command == Net::SMPP::CMD_enquire_link_resp || $command == Net::SMPP::CMD_unbind_resp;
    if    ($command == Net::SMPP::CMD_submit_sm)       { submitted($session, $pdu) }
    elsif ($command == Net::SMPP::CMD_deliver_sm_resp) { acknowledged($session, $pdu) }
    elsif ($command == Net::SMPP::CMD_enquire_link) {
        tell_event(event => 'enquired');
        $session->enquire_link_resp(seq => $pdu->{seq});
    }
    elsif ($command == Net::SMPP::CMD_unbind) {
        tell_event(event => 'unbound');
        $session->unbind_resp(seq => $pdu->{seq});
        return 0;
    }
    return 1;
}

my $listener = Net::SMPP->new_listen('127.0.0.1', port => $port, smpp_version => 0x34, listen => 32, timeout => undef)
  or die "can't listen on $port: $!";
my $select = IO::Select->new($listener, \*STDIN);

sub end_session {
    my ($session) = @_;
    my $number = $session->fileno;
    delete $bound{$number};
    delete $receives{$number};
    for my $ours (\%sent, \%asked) { delete $ours->{$_} for grep { /\A$number:/ } keys %$ours }
    @unanswered = grep { $_->[0] != $session } @unanswered;
    $select->remove($session);
    $session->close;
    tell_event(event => 'closed');
    return;
}

my %commands = (
    reply         => \&reply,
    receipts      => sub { $orders{receipts} = $_[0] },
    throttle      => sub { $orders{throttle} = $_[0] },
    silent        => sub { $orders{silent} = $_[0] },
    refuse        => sub { $orders{refuse} = $_[0] },
    answer_silent => sub { accept_submit(@$_) for splice @unanswered },
    close         => sub { end_session($_) for values %bound },
    enquire       => sub { ask('enquire_link', 'enquiry_answered') },
    unbind        => sub { ask('unbind', 'unbind_answered') },
    handset       => sub { },    # every number has one
);

sub commanded {
    my ($line) = @_;
    my $order = $json->decode($line);
    $commands{$_}->($order->{$_}) for keys %$order;
    return tell_event(event => 'done', command => $order);
}

tell_event(event => 'listening', port => $listener->sockport);
my $typed = '';
while (1) {
    for my $ready ($select->can_read(0.1)) {
        if (fileno $ready == fileno STDIN) {
            sysread(STDIN, $typed, 65_536, length $typed) or exit 0;    # whoever started us is gone
            commanded($1) while $typed =~ s/\A(.*)\n//;
        }
        elsif ($ready == $listener) {
            my $session = $listener->accept or next;
            $select->add($session);
        }
        else { serve($ready) or end_session($ready) }
    }
    deliver($_) for grep { defined $owed{$_}{again_at} && $owed{$_}{again_at} <= time } keys %owed;
}

// An SMSC on node-smpp, a codec that shares nothing with ours: takes any bind, records what is submitted, sends receipts and replies.
//
// usage: node node-smpp.js PORT [PASSWORD]
// What happens is printed as JSON, one object a line; commands come in the same form on stdin. README.md lists both.
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const [port, password] = [Number(process.argv[2]), process.argv[3]];
const ROK = 0;
const RINVPASWD = 0x0e;
const RTHROTTLED = 0x58;
const RCANCELFAIL = 0x11;
const RREPLACEFAIL = 0x13;
const RETRY_MS = 500;

const sessions = new Set(); // bound ones
const owed = new Map(); // deliver_sm not yet acknowledged, by our own key: sent again on refusal and on every bind
const unanswered = []; // submits that were met with silence
const off = new Set(); // numbers whose phones are off
const waiting = new Map(); // messages for them, by their ids, oldest first
const orders = { receipts: true, throttle: 0, silent: 0, refuse: { count: 0, status: 0 } };
let lastId = Date.now() % 1e9; // another life of this SMSC gives other ids
let lastKey = 0;

function tell(event) {
  process.stdout.write(JSON.stringify({ at: Date.now(), ...event }) + '\n');
}

function stamp(date) {
  return date.toISOString().replace(/[-:T]/g, '').slice(2, 12);
}

function partOf(udh) {
  for (const element of udh || []) {
    if (element[0] === 0x00) return { reference: element[2], parts: element[3], part: element[4] };
    if (element[0] === 0x08) return { reference: element.readUInt16BE(2), parts: element[4], part: element[5] };
  }
  return null;
}

function deliver(key) {
  const entry = owed.get(key);
  const session = [...sessions].find(({ bind }) => bind !== 'transmitter');
  if (!entry || !session) return;
  session.deliver_sm(entry.pdu(), (response) => {
    tell({ event: 'acknowledged', what: entry.what, id: entry.id, status: response.command_status });
    if (response.command_status === ROK) owed.delete(key);
    else setTimeout(() => deliver(key), RETRY_MS);
  });
}

function owe(what, id, pdu) {
  lastKey += 1;
  owed.set(lastKey, { what, id, pdu });
  deliver(lastKey);
}

function receipt(submit, id) {
  const now = stamp(new Date());
  const text = `id:${id} sub:001 dlvrd:001 submit date:${now} done date:${now} stat:DELIVRD err:000 text:`;
  owe('receipt', id, () => ({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: submit.destination_addr,
    destination_addr: submit.source_addr, esm_class: 0x04, short_message: text,
    receipted_message_id: id, message_state: 2,
  }));
}

function reply({ from, to, text }) {
  owe('reply', null, () => ({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: from, destination_addr: to, short_message: text,
  }));
}

function accept(session, pdu, id) {
  session.send(pdu.response({ message_id: id }));
  if (off.has(pdu.destination_addr)) waiting.set(id, pdu);
  else show(pdu, id);
}

// What a phone gets; the receipt follows.
function show(pdu, id) {
  const body = pdu.short_message || {};
  const asked = orders.receipts && (pdu.registered_delivery & 1) === 1;
  tell({
    event: 'shown', id, from: pdu.source_addr, to: pdu.destination_addr, text: body.message, concatenated: partOf(body.udh),
    data_coding: pdu.data_coding, receipt: asked,
  });
  if (asked) setImmediate(() => receipt(pdu, id));
}

function switchOn(number) {
  off.delete(number);
  for (const [id, pdu] of [...waiting]) {
    if (pdu.destination_addr !== number) continue;
    waiting.delete(id);
    show(pdu, id);
  }
}

// One short message for another of the same coding (SMPP 3.4 §4.10): its PDU has no data_coding of its own.
function replace(session, pdu) {
  const old = waiting.get(pdu.message_id);
  tell({ event: 'replace', id: pdu.message_id, replaced: Boolean(old) });
  if (!old) return session.send(pdu.response({ command_status: RREPLACEFAIL }));
  const coding = old.data_coding === 8 ? smpp.encodings.UCS2 : smpp.encodings.ASCII;
  old.short_message = { message: coding.decode(pdu.short_message) };
  old.registered_delivery = pdu.registered_delivery;
  return session.send(pdu.response());
}

function cancel(session, pdu) {
  const cancelled = waiting.delete(pdu.message_id);
  tell({ event: 'cancel', id: pdu.message_id, cancelled });
  session.send(pdu.response({ command_status: cancelled ? ROK : RCANCELFAIL }));
}

function submitted(session, pdu) {
  const refuse = orders.refuse.count > 0;
  const answer = orders.throttle > 0 ? 'throttled' : refuse ? 'refused' : orders.silent > 0 ? 'silent' : 'accepted';
  lastId += 1;
  const id = answer === 'accepted' || answer === 'silent' ? String(lastId) : null;
  const body = pdu.short_message || {};
  tell({
    event: 'submit', answer, id, from: pdu.source_addr, from_ton: pdu.source_addr_ton, to: pdu.destination_addr,
    to_ton: pdu.dest_addr_ton, text: body.message, concatenated: partOf(body.udh), data_coding: pdu.data_coding,
    esm_class: pdu.esm_class, registered_delivery: pdu.registered_delivery, validity: Boolean(pdu.validity_period),
  });
  switch (answer) {
    case 'throttled':
      orders.throttle -= 1;
      return session.send(pdu.response({ command_status: RTHROTTLED }));
    case 'refused':
      orders.refuse.count -= 1;
      return session.send(pdu.response({ command_status: orders.refuse.status }));
    case 'silent':
      orders.silent -= 1;
      return unanswered.push({ session, pdu, id });
    default:
      return accept(session, pdu, id);
  }
}

function bind(session, kind, pdu) {
  if (password !== undefined && pdu.password !== password) {
    tell({ event: 'bind_refused', system_id: pdu.system_id });
    session.send(pdu.response({ command_status: RINVPASWD }));
    return session.close();
  }
  session.send(pdu.response({ system_id: 'node-smpp', sc_interface_version: 0x34 }));
  session.bind = kind;
  sessions.add(session);
  tell({ event: 'bound', bind: kind, system_id: pdu.system_id, interface_version: pdu.interface_version });
  return [...owed.keys()].forEach(deliver);
}

const server = smpp.createServer((session) => {
  for (const kind of ['transceiver', 'transmitter', 'receiver']) session.on(`bind_${kind}`, (pdu) => bind(session, kind, pdu));
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('replace_sm', (pdu) => replace(session, pdu));
  session.on('cancel_sm', (pdu) => cancel(session, pdu));
  session.on('enquire_link', (pdu) => {
    tell({ event: 'enquired' });
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    sessions.delete(session);
    tell({ event: 'unbound' });
    session.send(pdu.response());
    session.close();
  });
  session.on('error', (error) => tell({ event: 'error', error: String(error) }));
  session.on('close', () => {
    sessions.delete(session);
    tell({ event: 'closed' });
  });
});

const commands = {
  reply,
  receipts: (on) => { orders.receipts = on; },
  throttle: (count) => { orders.throttle = count; },
  silent: (count) => { orders.silent = count; },
  refuse: (what) => { orders.refuse = what; },
  answer_silent: () => unanswered.splice(0).forEach(({ session, pdu, id }) => accept(session, pdu, id)),
  close: () => [...sessions].forEach((session) => session.destroy()),
  enquire: () => [...sessions].forEach((session) => session.enquire_link({}, () => tell({ event: 'enquiry_answered' }))),
  unbind: () => [...sessions].forEach((session) => session.unbind({}, () => {
    tell({ event: 'unbind_answered' });
    session.close();
  })),
  handset: () => {}, // every number has one
  off: (number) => off.add(number),
  on: switchOn,
};

server.listen(port, '127.0.0.1', () => tell({ event: 'listening', port: server.address().port }));
readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    for (const [name, value] of Object.entries(JSON.parse(line))) commands[name](value);
    tell({ event: 'done', command: JSON.parse(line) });
  })
  .on('close', () => process.exit(0)); // whoever started us is gone

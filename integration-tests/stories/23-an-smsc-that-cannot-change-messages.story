# An SMSC that can't change messages: the second SMS tells only what is new
At: the simulator

Anna is 8613800000001
Ben is 8613911110002
Carl is 8613911110003
Dora is 8613911110004

Anna is a subscriber
The SMSC can't change messages
Anna's phone is off
Ben calls Anna at 09:00, unreachable
Carl calls Anna at 09:10, unreachable
Dora calls Anna at 09:20, unreachable

Anna's phone is on
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
  "2 missed calls:
   +8613911110004 {today} 09:20
   +8613911110003 {today} 09:10"

# A caller who hides the number is counted, and never shown
At: the simulator, node, twisted

Anna is 8613800000001
Ben is 8613911110002
Carl is 8613911110003

Anna is a subscriber
Ben calls Anna at 09:00, busy, number withheld
Anna's phone shows:
  "1 missed call:
   withheld {today} 09:00"

Carl calls Anna at 09:05, rejected
Anna's phone shows:
  "1 missed call:
   +8613911110003 {today} 09:05"

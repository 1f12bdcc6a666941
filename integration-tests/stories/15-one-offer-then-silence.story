# One offer, then silence until its reader does something
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Paul is 8613700000001
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."
Ben calls Paul at 09:30, busy
Paul's phone shows nothing new
Customer care sees for Paul: teaser_capped

# The list holds what came meanwhile. After it, the next call is worth an offer again.
Paul texts: C
Paul's phone shows:
  "2 missed calls:
   +8613911110002 (2) {today} 09:30"
Ben calls Paul at 10:00, busy
Paul's phone shows:
  "1 missed call, {today} 10:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

# Offers only to who said yes
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000?consent=explicit
Paul is 8613700000001
Petra is 8613700000002
Ben is 8613911110002

Petra is on the consent list
Ben calls Paul at 09:00, busy
Ben calls Petra at 09:01, busy
Petra's phone shows:
  "1 missed call, {today} 09:01. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."
Paul's phone shows nothing new
Customer care sees for Paul: no_consent

# Who says no after all is not asked again.
Petra texts: R
Petra's phone shows:
  "You will get no more of these messages."
Ben calls Petra at 10:00, busy
Petra's phone shows nothing new

# Who must not be contacted isn't, whatever range they are in
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Paul is 8613700000001
Petra is 8613700000002
Ben is 8613911110002

Paul is on the do-not-contact list
Ben calls Paul at 09:00, busy
Ben calls Petra at 09:01, busy
Petra's phone shows:
  "1 missed call, {today} 09:01. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."
Paul's phone shows nothing new
Customer care sees for Paul: do_not_contact

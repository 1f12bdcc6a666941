# A range for two people takes no third one
At: the simulator, node, twisted

Setting: RANGES = south=86137*:2
Paul is 8613700000001
Petra is 8613700000002
Pia is 8613700000003
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."
Ben calls Petra at 09:01, busy
Petra's phone shows:
  "1 missed call, {today} 09:01. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

Ben calls Pia at 09:02, busy
Pia's phone shows nothing new
Customer care sees for Pia: quota_used_up

# More room, from the next start on. A call that was for nobody of the quota is not counted.
The gateway is killed
Setting: RANGES = south=86137*:3
The gateway starts again
Ben calls Pia at 09:03, busy
Pia's phone shows:
  "1 missed call, {today} 09:03. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

# An offer that was left lying is no longer good
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Setting: TEASER__OFFER_VALIDITY = 2s
Paul is 8613700000001
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

3 seconds pass
Paul texts: C
Paul's phone shows:
  "The list of missed calls you asked for is no longer available."

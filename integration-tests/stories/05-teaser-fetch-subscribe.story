# An offer, a look at the list, a new subscriber
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Setting: TEASER__FETCH_PRICE = 0.50
Setting: TEASER__SUBSCRIBE_PRICE = 3.00 a month
Paul is 8613700000001
Ben is 8613911110002

# The offer tells no number.
Ben calls Paul at 09:00, unreachable
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called (0.50), KT to subscribe (3.00 a month), R to get no more of these. This message is free."

Paul texts: c
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"

Paul texts: Kt.
Paul's phone shows:
  "You now get a message for every missed call (3.00 a month). Reply QX to stop."

Ben calls Paul at 10:00, busy
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 10:00"

Paul texts: QX
Paul's phone shows:
  "You no longer get messages for missed calls. Reply KT to subscribe again."

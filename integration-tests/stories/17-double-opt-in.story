# A subscription is asked twice before it costs anything
At: the simulator, node, twisted

Setting: REPLY__DOUBLE_OPT_IN = true
Setting: TEASER__SUBSCRIBE_PRICE = 3.00 a month
Paul is 8613700000001
Ben is 8613911110002

Paul texts: KT
Paul's phone shows:
  "Reply YES to get a message for every missed call (3.00 a month)."

# Not a subscriber yet, and in no range.
Ben calls Paul at 09:00, busy
Paul's phone shows nothing new

Paul texts: yes
Paul's phone shows:
  "You now get a message for every missed call (3.00 a month). Reply QX to stop."
Ben calls Paul at 10:00, busy
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 10:00"

# A yes to nothing.
Paul texts: YES
Paul's phone shows:
  "There is nothing to confirm."

# Copies to the secretary, who must agree and may end them
At: the simulator, node, twisted

Anna is 8613800000001
Carla is 8613900000009
Ben is 8613911110002

Anna is a subscriber
Anna texts: COPY 13900000009
Anna's phone shows:
  "+8613900000009 is asked whether it wants copies of your missed call messages."
Carla's phone shows:
  "+8613800000001 wants to send you copies of missed call messages. Reply YES to agree; else nothing is sent."

# Not before she says yes.
Ben calls Anna at 09:00, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
Carla's phone shows nothing new

Carla texts: YES
Carla's phone shows:
  "You now get copies of the missed call messages of +8613800000001. Reply R to stop."
Anna's phone shows:
  "+8613900000009 now gets copies of your missed call messages. Reply COPY OFF to stop."
Ben calls Anna at 10:00, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 10:00"
Carla's phone shows:
  "Copy for +8613800000001:
   1 missed call:
   +8613911110002 {today} 10:00"

# Both hear of the end.
Carla texts: STOP
Carla's phone shows:
  "You will get no more of these messages."
Anna's phone shows:
  "No more copies of missed call messages are sent."
Ben calls Anna at 11:00, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 11:00"

/* nanomsg: survey and respond. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_SURVEY_H_INCLUDED
#define NANOMSG_SURVEY_H_INCLUDED

#define NN_PROTO_SURVEY 6

/* Asks every respondent, and receives answers for a while. (Numbers 0 and 1 were an earlier protocol.) */
#define NN_SURVEYOR ((NN_PROTO_SURVEY * 16) + 2)

/* Receives a survey and sends its answer. */
#define NN_RESPONDENT ((NN_PROTO_SURVEY * 16) + 3)

/* Milliseconds a survey lasts; int. */
#define NN_SURVEYOR_DEADLINE 1

#endif  /* NANOMSG_SURVEY_H_INCLUDED */

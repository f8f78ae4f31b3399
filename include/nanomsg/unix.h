/* nanomsg: the unix transport: between processes of one machine. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NN_UNIX_H_INCLUDED
#define NN_UNIX_H_INCLUDED

#if defined(_WIN32)
/* Level of the unix transport; it has no options of its own. */
#define NN_UNIX -5
#endif

#if !defined(_WIN32)
/* Level of the unix transport, which NN_IPC is another name of: the options are those of NN_IPC. */
#define NN_UNIX -2
#endif

#endif  /* NN_UNIX_H_INCLUDED */

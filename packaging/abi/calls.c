/* The type of every function, as variables: what a compiler tells a debugger of these is the whole interface, structs included. */
#include <stddef.h>
#include <nanomsg/nn.h>

#define CALL(name) __typeof__ (&name) abi_##name;
CALL (nn_allocmsg) CALL (nn_bind) CALL (nn_close) CALL (nn_cmsg_nxthdr_) CALL (nn_connect) CALL (nn_device)
CALL (nn_errno) CALL (nn_freemsg) CALL (nn_get_statistic) CALL (nn_getsockopt) CALL (nn_poll) CALL (nn_reallocmsg)
CALL (nn_recv) CALL (nn_recvmsg) CALL (nn_send) CALL (nn_sendmsg) CALL (nn_setsockopt) CALL (nn_shutdown)
CALL (nn_socket) CALL (nn_strerror) CALL (nn_symbol) CALL (nn_symbol_info) CALL (nn_term)

struct nn_msghdr abi_msghdr;
struct nn_iovec abi_iovec;
struct nn_cmsghdr abi_cmsghdr;
struct nn_pollfd abi_pollfd;
struct nn_symbol_properties abi_symbol_properties;

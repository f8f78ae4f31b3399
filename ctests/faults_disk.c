/* ipc on a file system that is full, or turns read-only. It is a small one of
   this program's own, in a mount namespace of its own. */

#include "ctest.h"
#include "faults.h"
#include <sched.h>
#include <sys/mount.h>

int main(void)
{
    char folder[64], addr[NN_SOCKADDR_MAX], path[128];
    int s = -1, other, fds = 0;

    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        ct_skip("no mount namespace of its own is permitted");
    snprintf(folder, sizeof folder, "%s/full", ct_dir());
    MUST(mkdir(folder, 0777));
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("none", folder, "tmpfs", 0, "size=64k,nr_inodes=4") < 0)
        ct_skip("no file system of its own is permitted");

    /* The folder itself is one of the four. */
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        close(MUST(open(path, O_CREAT | O_WRONLY, 0666)));
    }
    snprintf(addr, sizeof addr, "ipc://%s/s", folder);
    s = ct_socket(NN_PAIR);
    other = ct_socket(NN_PAIR);
    MUST(ct_set(other, NN_RECONNECT_IVL, 10));
    CALL_AS("nn_bind on a full disk", nn_bind(s, addr));
    fds = ct_open_fds();
    for (int i = 0; i < 100; i++)
        CHECK(nn_bind(s, addr) == -1);
    printf("100 times: %d descriptors more\n", ct_open_fds() - fds);
    CHECK(nn_connect(other, addr) > 0);
    EVENTUALLY(ct_stat(other, NN_STAT_CONNECT_ERRORS) > 2);
    IDLES(200);
    MUST(unlink(path));
    CHECK(nn_bind(s, addr) > 0);
    fault_talk(s, other);
    printf("it works when there is room\n");

    /* The file cannot be taken away any more. */
    QUIRK("Q-B10", "nn_close where the socket file cannot be removed just leaves it") {
        MUST(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL));
        CHECK(nn_close(s) == 0);
        CHECK(access(addr + 6, F_OK) == 0);
        s = ct_socket(NN_PAIR);
        CHECK(nn_bind(s, addr) == -1 && (nn_errno() == EROFS || nn_errno() == EADDRINUSE));
        MUST(mount(NULL, folder, NULL, MS_REMOUNT, NULL));
        CHECK(nn_bind(s, addr) > 0);
        fault_talk(s, other);
    }
    CALL(nn_close(other));
    CALL(nn_close(s));
    umount2(folder, MNT_DETACH);
    return 0;
}

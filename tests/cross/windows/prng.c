/* bcryptprimitives.dll, which Wine 8 lacks: the one function of it that Rust's std calls. For tests under Wine; Windows has its own. */

#include <windows.h>

#include <ntsecapi.h>

/* At most so many bytes at a time: RtlGenRandom counts in 32 bits. */
#define PIECE 0x10000000

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    for (; length > PIECE; data += PIECE, length -= PIECE)
        if (!RtlGenRandom(data, PIECE))
            return FALSE;
    return RtlGenRandom(data, (ULONG) length);
}

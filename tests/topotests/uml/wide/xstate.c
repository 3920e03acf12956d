/*
 * A preloaded ptrace for linux.uml on processors with AMX.
 *
 * A guest kernel of version 6.1 keeps 2696 bytes of extended register state,
 * which ends with PKRU. Processors with AMX have 11008, and since the host
 * kernel takes the whole state or nothing (EFAULT), the guest would panic as
 * soon as it starts its first process. This ptrace hands the host what the guest
 * has, with the rest in its initial state, which the header's bit vector says.
 * The guest cannot use AMX anyhow: a program has to ask its kernel for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202
#define XSTATE_BV 512                /* offset of the component bit vector */
#define KNOWN_COMPONENTS 0x3ffUL     /* x87 to PKRU */

/* Static: the caller's stack is a small one. linux.uml has one thread. */
static unsigned char state[64 << 10] __attribute__((aligned(64)));
static size_t state_size;

static long set_xstate(long pid, struct iovec *iov)
{
	struct iovec full = { state, sizeof(state) };
	unsigned long bv;

	if (state_size == 0) {
		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &full) < 0)
			return -1;
		state_size = full.iov_len;
	}
	if (iov->iov_len >= state_size || iov->iov_len < XSTATE_BV + sizeof(bv))
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, iov);
	memset(state + iov->iov_len, 0, state_size - iov->iov_len);
	memcpy(state, iov->iov_base, iov->iov_len);
	memcpy(&bv, state + XSTATE_BV, sizeof(bv));
	bv &= KNOWN_COMPONENTS;
	memcpy(state + XSTATE_BV, &bv, sizeof(bv));
	full.iov_len = state_size;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &full);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	long pid, word, result;
	void *addr, *data;

	va_start(ap, request);
	pid = va_arg(ap, int);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE)
		return set_xstate(pid, data);
	if (request > PTRACE_TRACEME && request <= PTRACE_PEEKUSER) {
		/* The system call stores the word, the library returns it. */
		result = syscall(SYS_ptrace, (long)request, pid, addr, &word);
		if (result < 0)
			return result;
		errno = 0;
		return word;
	}
	return syscall(SYS_ptrace, (long)request, pid, addr, data);
}

// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Bytes through sockets, whatever the call, and TCP connections made. All in the caller's context. */
#include "rules.bpf.h"

enum tm_socket_kind { TM_SOCKET_OTHER, TM_SOCKET_TCP, TM_SOCKET_UDP, TM_SOCKET_UNIX };

static __always_inline enum tm_socket_kind tm_socket_kind(struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family, protocol;

	if (family == AF_UNIX)
		return TM_SOCKET_UNIX;
	if (family != AF_INET && family != AF_INET6)
		return TM_SOCKET_OTHER;
	protocol = BPF_CORE_READ_BITFIELD(sk, sk_protocol);	/* a bit-field before 5.6 */
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return TM_SOCKET_TCP;
	return protocol == IPPROTO_UDP ? TM_SOCKET_UDP : TM_SOCKET_OTHER;
}

static __always_inline void tm_count_bytes(struct sock *sk, int ret, const enum tm_counter inet,
					   const enum tm_counter local)
{
	enum tm_socket_kind kind = tm_socket_kind(sk);
	struct tm_task *st;

	if (ret < 0 || kind == TM_SOCKET_OTHER)
		return;
	st = tm_current_get();
	if (!st)
		return;
	if (kind == TM_SOCKET_UNIX) {
		st->hooked[local - TM_C_HOOKED] += ret;
		return;
	}
	st->hooked[inet - TM_C_HOOKED] += ret;
	tm_note_use(st, kind == TM_SOCKET_TCP ? TM_TASK_TCP_USED : TM_TASK_UDP_USED);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(tm_sock_send, struct sock *sk, int ret)
{
	tm_count_bytes(sk, ret, TM_C_NET_TX, TM_C_UNIX_TX);
	return 0;
}

/* Bytes that are only peeked at come again. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(tm_sock_recv, struct sock *sk, int ret, int flags)
{
	if (!(flags & MSG_PEEK))
		tm_count_bytes(sk, ret, TM_C_NET_RX, TM_C_UNIX_RX);
	return 0;
}

/* SYN_SENT is entered by connect(2) itself; the accepting side is known by its first byte. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tm_set_state, struct sock *sk, int old_state, int new_state)
{
	struct tm_task *st;

	if (new_state != TCP_SYN_SENT || tm_socket_kind(sk) != TM_SOCKET_TCP)
		return 0;
	st = tm_current_get();
	if (!st)
		return 0;
	st->hooked[TM_C_CONNECTS - TM_C_HOOKED]++;
	tm_note_use(st, TM_TASK_TCP_USED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

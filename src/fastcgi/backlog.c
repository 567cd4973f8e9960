/* SPDX-License-Identifier: MIT */
/* How many connections wait in a listening socket's queue, and how many may. */
#include "fastcgi/backlog.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct question {
	struct nlmsghdr head;
	struct unix_diag_req wanted;
};

/* Of a listening socket the fields for segments mean its queue (Linux, tcp_get_info). */
static bool look_at_tcp(int descriptor, struct backlog *backlog)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
	    info.tcpi_state != TCP_LISTEN)
		return false;
	*backlog = (struct backlog){.waiting = info.tcpi_unacked, .limit = info.tcpi_sacked};
	return true;
}

/* The answer is there once the question is sent: the kernel gives it in that call. */
static ssize_t ask(const struct question *question, void *answer, size_t size)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ssize_t got = -1;

	if (netlink < 0)
		return -1;
	if (send(netlink, question, sizeof(*question), 0) == (ssize_t)sizeof(*question))
		got = recv(netlink, answer, size, MSG_DONTWAIT);
	close(netlink);
	return got;
}

static bool read_answer(struct nlmsghdr *head, ssize_t got, struct backlog *backlog)
{
	const struct unix_diag_msg *found;
	const struct rtattr *attribute;
	struct unix_diag_rqlen queue;
	int left;

	if (got < 0 || !NLMSG_OK(head, (size_t)got) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(*found)))
		return false;
	found = NLMSG_DATA(head);
	left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*found)));
	for (attribute = (const void *)(found + 1); RTA_OK(attribute, left);
	     attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == UNIX_DIAG_RQLEN &&
		    RTA_PAYLOAD(attribute) >= sizeof(queue)) {
			memcpy(&queue, RTA_DATA(attribute), sizeof(queue));
			*backlog = (struct backlog){queue.udiag_rqueue, queue.udiag_wqueue};
			return true;
		}
	return false;
}

static bool look_at_unix(int descriptor, struct backlog *backlog)
{
	struct question question = {
	    .head = {.nlmsg_len = sizeof(question),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST},
	    .wanted = {.sdiag_family = AF_UNIX,
		.udiag_states = ~0u,
		.udiag_show = UDIAG_SHOW_RQLEN,
		.udiag_cookie = {~0u, ~0u}},
	};
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	struct stat file;

	if (fstat(descriptor, &file) != 0)
		return false;
	question.wanted.udiag_ino = (unsigned)file.st_ino;
	return read_answer(&answer.head, ask(&question, &answer, sizeof(answer)), backlog);
}

bool backlog_look(int descriptor, struct backlog *backlog)
{
	int domain;
	socklen_t size = sizeof(domain);

	if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
		return false;
	return domain == AF_UNIX ? look_at_unix(descriptor, backlog)
				 : look_at_tcp(descriptor, backlog);
}

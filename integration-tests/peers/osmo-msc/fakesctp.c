/* Lets osmo-msc speak SGs where the kernel has no SCTP: preloaded, it makes TCP of each SCTP socket and puts four octets of length before each message.
 * handset.py speaks the same. Nothing else of osmo-msc is touched. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

/* sizeof(struct sctp_sndrcvinfo) */
#define INFO_SIZE 32
/* The kernel's flag for the end of a message, which every message here has. */
#define WHOLE MSG_EOR

int socket(int domain, int type, int protocol)
{
	static int (*real)(int, int, int);
	if (!real)
		real = dlsym(RTLD_NEXT, "socket");
	if (protocol != IPPROTO_SCTP)
		return real(domain, type, protocol);
	return real(domain, SOCK_STREAM | (type & (SOCK_NONBLOCK | SOCK_CLOEXEC)), 0);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	static int (*real)(int, int, int, const void *, socklen_t);
	if (!real)
		real = dlsym(RTLD_NEXT, "setsockopt");
	return level == IPPROTO_SCTP ? 0 : real(fd, level, name, value, length);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	static int (*real)(int, int, int, void *, socklen_t *);
	if (!real)
		real = dlsym(RTLD_NEXT, "getsockopt");
	return level == IPPROTO_SCTP ? 0 : real(fd, level, name, value, length);
}

static socklen_t address_length(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

int sctp_bindx(int fd, struct sockaddr *addresses, int count, int flags)
{
	(void)count, (void)flags;
	return bind(fd, addresses, address_length(addresses));
}

int sctp_connectx(int fd, struct sockaddr *addresses, int count, void *id)
{
	(void)count, (void)id;
	return connect(fd, addresses, address_length(addresses));
}

/* 1: all octets went; 0: the peer is gone; -1: as errno says. */
static int whole(int fd, void *octets, size_t length, int writes)
{
	size_t done = 0;
	while (done < length) {
		char *rest = (char *)octets + done;
		ssize_t n = writes ? send(fd, rest, length - done, MSG_NOSIGNAL) : recv(fd, rest, length - done, 0);
		if (n > 0) {
			done += n;
		} else if (n == 0) {
			return 0;
		} else if (errno == EAGAIN || errno == EINTR) {
			struct pollfd ready = { fd, writes ? POLLOUT : POLLIN, 0 };
			poll(&ready, 1, 1000);
		} else {
			return -1;
		}
	}
	return 1;
}

int sctp_recvmsg(int fd, void *message, size_t room, struct sockaddr *from, socklen_t *from_length, void *info, int *flags)
{
	uint32_t header;
	ssize_t n;
	(void)from, (void)from_length;
	if (info)
		memset(info, 0, INFO_SIZE);
	if (flags)
		*flags = WHOLE;
	n = recv(fd, &header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0)
		return n;
	n = whole(fd, &header, sizeof header, 0);
	if (n <= 0)
		return n;
	if (ntohl(header) > room) {
		errno = EMSGSIZE;
		return -1;
	}
	n = whole(fd, message, ntohl(header), 0);
	return n <= 0 ? n : (int)ntohl(header);
}

int sctp_send(int fd, const void *message, size_t length, const void *info, int flags)
{
	uint32_t header = htonl(length);
	(void)info, (void)flags;
	if (whole(fd, &header, sizeof header, 1) <= 0 || whole(fd, (void *)message, length, 1) <= 0)
		return -1;
	return length;
}

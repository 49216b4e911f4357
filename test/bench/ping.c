/*
 * ping.c
 *	  The bare round trip that script/bench compares py_eval with.
 *
 * Listens on a Unix socket, takes one connection (a Python echo in a container)
 * and prints "ready".  For each line "COUNT" on standard input it sends that
 * many messages, one after the other, each of SIZE bytes, and waits for each to
 * come back whole; then it prints median and mean of a round trip in
 * nanoseconds.  Ends with its standard input.
 *
 * Usage: ping SOCKET SIZE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* End with the reason. */
static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Return the time in nanoseconds. */
static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* Order two times. */
static int
compare(const void *left, const void *right)
{
	double		a = *(const double *) left;
	double		b = *(const double *) right;

	return (a > b) - (a < b);
}

/* Send a message and wait until all of it has come back. */
static void
ping(int peer, char *message, size_t size)
{
	if (send(peer, message, size, 0) != (ssize_t) size)
		fail("send");
	for (size_t got = 0; got < size;)
	{
		ssize_t		length = recv(peer, message + got, size - got, 0);

		if (length <= 0)
			fail("recv");
		got += (size_t) length;
	}
}

/* Wait for the container's connection. */
static int
accept_peer(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int			listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int			peer;

	if (strlen(path) >= sizeof(address.sun_path))
	{
		fprintf(stderr, "the socket's path is too long\n");
		exit(1);
	}
	strcpy(address.sun_path, path);
	if (listener < 0 || bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		chmod(path, 0666) != 0 || listen(listener, 1) != 0)
		fail(path);
	printf("listening\n");
	fflush(stdout);
	peer = accept(listener, NULL, NULL);
	if (peer < 0)
		fail("accept");
	close(listener);
	return peer;
}

int
main(int argc, char **argv)
{
	char		line[64];
	size_t		size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	char	   *message;
	int			peer;

	if (size == 0)
	{
		fprintf(stderr, "usage: ping SOCKET SIZE\n");
		return 2;
	}
	message = calloc(size, 1);
	peer = accept_peer(argv[1]);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		size_t		count = strtoul(line, NULL, 10);
		double	   *times = malloc((count + 1) * sizeof(double));
		double		begin;
		double		mean;

		if (count == 0 || times == NULL || message == NULL)
			return 2;
		begin = now();
		for (size_t i = 0; i < count; i++)
		{
			double		start = now();

			ping(peer, message, size);
			times[i] = now() - start;
		}
		mean = (now() - begin) / count;
		qsort(times, count, sizeof(double), compare);
		printf("%.0f %.0f\n", times[count / 2], mean);
		fflush(stdout);
		free(times);
	}
	return 0;
}

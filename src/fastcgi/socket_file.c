/* SPDX-License-Identifier: MIT */
/* The file of a unix socket: made, looked after and removed as long as it is ours. */
#include "fastcgi/socket_file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, LOCK_WAIT_MS = 1000 };

/* Whoever holds the lock may be stopped: it is not waited for without end. */
static void wait_for_lock(int descriptor)
{
	struct timespec pause = {.tv_nsec = 10000000};
	int64_t limit = clock_ms() + LOCK_WAIT_MS;

	while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_ms() > limit)
			return;
		nanosleep(&pause, NULL);
	}
}

/* The directory that is to hold the file. */
static void name_directory(const char *path, char *directory, size_t size)
{
	char *slash;

	snprintf(directory, size, "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		snprintf(directory, size, ".");
	else
		slash[slash == directory] = '\0';
}

/* The directory that holds path, open to be locked, or -1. */
static int open_directory(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];

	name_directory(path, directory, sizeof(directory));
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Locks the directory and returns its descriptor, whose close is the unlock. A file to be locked would have to stay
 * behind, and be somebody's. Who may read a directory may hold its lock: after LOCK_WAIT_MS it is done without.
 */
static int lock(const char *path)
{
	int directory = open_directory(path);

	if (directory >= 0)
		wait_for_lock(directory);
	return directory;
}

/* What stands at a path. */
enum place {
	PLACE_EMPTY,
	PLACE_LEFT_OVER, /* a socket that nobody answers on */
	PLACE_ANSWERED,
	PLACE_OTHER /* no socket, or it cannot be looked at: errno */
};

static enum place look_at(const struct sockaddr_un *address)
{
	struct stat status;
	int probe;
	bool refused;

	if (lstat(address->sun_path, &status) != 0)
		return errno == ENOENT ? PLACE_EMPTY : PLACE_OTHER;
	errno = EADDRINUSE;
	if (!S_ISSOCK(status.st_mode))
		return PLACE_OTHER;
	probe = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (probe < 0)
		return PLACE_OTHER;
	refused = connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
		  errno == ECONNREFUSED;
	close(probe);
	errno = EADDRINUSE;
	return refused ? PLACE_LEFT_OVER : PLACE_ANSWERED;
}

/* True where the path is free, or was a unix socket that nobody answers on and is now removed. */
static bool clear_left_over(const struct sockaddr_un *address)
{
	enum place place = look_at(address);

	return place == PLACE_EMPTY || (place == PLACE_LEFT_OVER && unlink(address->sun_path) == 0);
}

/* By its name, or by its number; false with errno set where there is none. */
static bool find_group(const char *name, gid_t *group)
{
	const struct group *found;
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	errno = 0;
	found = getgrnam(name);
	errno = errno ? errno : EINVAL;
	*group = found ? found->gr_gid : (gid_t)number;
	return found || (*name >= '0' && *name <= '9' && !*end && number < (gid_t)-1);
}

static bool set_group(const char *path, const char *name)
{
	gid_t group;

	return !*name || (find_group(name, &group) && chown(path, (uid_t)-1, group) == 0);
}

/* Makes the file, which nobody else may use yet, and notes which it is. */
static bool bind_private(
    struct socket_file *file, int descriptor, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int result = bind(descriptor, (const struct sockaddr *)address, sizeof(*address));
	struct stat status;

	umask(before);
	if (result != 0 || lstat(address->sun_path, &status) != 0)
		return false;
	strcpy(file->path, address->sun_path);
	file->device = status.st_dev;
	file->inode = status.st_ino;
	return true;
}

/* All but the lock; says in *doing and *what what failed, with errno set. */
static int make(struct socket_file *file, const struct sockaddr_un *address,
    const struct settings *settings, const char **doing, const char **what)
{
	int descriptor;

	if (!clear_left_over(address))
		return -1;
	*doing = "binding the unix socket";
	descriptor = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (descriptor < 0 || !bind_private(file, descriptor, address))
		return descriptor < 0 ? -1 : (close(descriptor), -1);
	*doing = "giving the unix socket to the group";
	*what = settings->listen_group;
	if (set_group(file->path, settings->listen_group)) {
		*doing = "listening on the unix socket";
		*what = file->path;
		if (chmod(file->path, settings->listen_mode) == 0 &&
		    listen(descriptor, settings->listen_backlog) == 0)
			return descriptor;
	}
	unlink(file->path);
	close(descriptor);
	return -1;
}

int socket_file_open(struct socket_file *file, const char *path, const struct settings *settings,
    char *error, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *doing = "listening on the unix socket", *what = path;
	int locked = -1, descriptor = -1;
	bool fits = *path && strlen(path) < sizeof(address.sun_path);

	*file = (struct socket_file){0};
	errno = ENAMETOOLONG;
	if (fits) {
		strcpy(address.sun_path, path);
		locked = lock(path);
		descriptor = make(file, &address, settings, &doing, &what);
	}
	if (descriptor < 0) {
		snprintf(error, size, "%s %s: %s", doing, what, strerror(errno));
		*file = (struct socket_file){0};
	}
	if (locked >= 0)
		close(locked);
	return descriptor;
}

static bool refuse(char *error, size_t size, const char *doing, const char *what)
{
	snprintf(error, size, "%s %s: %s", doing, what, strerror(errno));
	return false;
}

static bool could_make(const char *path, const struct settings *settings, char *error, size_t size)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	gid_t group;

	name_directory(path, directory, sizeof(directory));
	if (access(directory, W_OK | X_OK) != 0)
		return refuse(error, size, "making a file in the directory", directory);
	if (*settings->listen_group && !find_group(settings->listen_group, &group))
		return refuse(error, size, "looking for the group", settings->listen_group);
	return true;
}

enum socket_file_trial socket_file_try(
    const char *path, const struct settings *settings, char *error, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	enum place place;

	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof(address.sun_path)) {
		refuse(error, size, "listening on the unix socket", path);
		return SOCKET_FILE_IMPOSSIBLE;
	}
	strcpy(address.sun_path, path);
	place = look_at(&address);
	if (place == PLACE_ANSWERED)
		return SOCKET_FILE_TAKEN;
	if (place == PLACE_OTHER)
		refuse(error, size, "listening on the unix socket", path);
	return place != PLACE_OTHER && could_make(path, settings, error, size)
		   ? SOCKET_FILE_FREE
		   : SOCKET_FILE_IMPOSSIBLE;
}

enum socket_file_state socket_file_look(const struct socket_file *file)
{
	struct stat status;

	if (!*file->path)
		return SOCKET_FILE_OURS;
	if (lstat(file->path, &status) != 0)
		return errno == ENOENT ? SOCKET_FILE_GONE : SOCKET_FILE_ANOTHERS;
	return status.st_dev == file->device && status.st_ino == file->inode ? SOCKET_FILE_OURS
									     : SOCKET_FILE_ANOTHERS;
}

void socket_file_remove(struct socket_file *file)
{
	int locked = *file->path ? lock(file->path) : -1;

	if (*file->path && socket_file_look(file) == SOCKET_FILE_OURS)
		unlink(file->path);
	if (locked >= 0)
		close(locked);
	*file = (struct socket_file){0};
}

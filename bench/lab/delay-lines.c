/*
 * A line with a delay between network namespaces, for systems whose kernel has no netem: each namespace has a TUN device
 * called "line" with the address 10.77.0.N (N from 1); every IPv4 packet is carried to the namespace of its destination
 * after DELAY_US microseconds. Nothing is lost, reordered or limited. A number of microseconds on a line of the standard input
 * is the delay from then on; "ok" answers it.
 *
 *   delay-lines DELAY_US NAMESPACE...
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX 64
#define PACKET_BYTES_MAX 65536

struct packet {
  struct packet *next;
  int64_t due_ns;
  int to;
  int length;
  unsigned char bytes[];
};

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void must(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static int open_line(const char *namespace) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
  int handle = open(path, O_RDONLY | O_CLOEXEC);
  must(handle, path);
  must(setns(handle, CLONE_NEWNET), "setns");
  close(handle);
  int line = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  must(line, "/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(request.ifr_name, "line");
  must(ioctl(line, TUNSETIFF, &request), "TUNSETIFF");
  return line;
}

int main(int count, char **words) {
  int lines = count - 2;
  if (lines < 1 || lines > LINES_MAX) {
    fprintf(stderr, "delay-lines DELAY_US NAMESPACE...\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  /* A real line waits for no processor, and is not late by the 50 us that Linux allows timers. */
  prctl(PR_SET_TIMERSLACK, 1);
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  int64_t delay_ns = atoll(words[1]) * 1000LL;
  /* The last one is the standard input. */
  struct pollfd polls[LINES_MAX + 1];
  polls[lines] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
  for (int each = 0; each < lines; each++) polls[each] = (struct pollfd){.fd = open_line(words[each + 2]), .events = POLLIN};
  printf("ready\n");
  fflush(stdout);

  /* One delay for all: the order of arrival is the order of departure, also where the delay becomes shorter. */
  struct packet *first = NULL, **end = &first;
  unsigned char buffer[PACKET_BYTES_MAX];
  for (;;) {
    struct timespec wait = {0};
    if (first != NULL) {
      int64_t left = first->due_ns - now_ns();
      if (left > 0) wait = (struct timespec){.tv_sec = left / 1000000000LL, .tv_nsec = left % 1000000000LL};
    }
    must(ppoll(polls, lines + 1, first == NULL ? NULL : &wait, NULL), "ppoll");
    if (polls[lines].revents & (POLLIN | POLLHUP)) {
      int length = read(STDIN_FILENO, buffer, sizeof buffer - 1);
      if (length <= 0) {
        polls[lines].fd = -1;
      } else {
        buffer[length] = 0;
        delay_ns = atoll((char *)buffer) * 1000LL;
        printf("ok\n");
        fflush(stdout);
      }
    }
    for (int from = 0; from < lines; from++) {
      if (!(polls[from].revents & POLLIN)) continue;
      int length;
      while ((length = read(polls[from].fd, buffer, sizeof buffer)) > 0) {
        /* Version 4, and the last byte of the destination. */
        if (length < 20 || buffer[0] >> 4 != 4) continue;
        int to = buffer[19] - 1;
        if (to < 0 || to >= lines) continue;
        struct packet *packet = malloc(sizeof *packet + length);
        must(packet == NULL ? -1 : 0, "malloc");
        *packet = (struct packet){.due_ns = now_ns() + delay_ns, .to = to, .length = length};
        memcpy(packet->bytes, buffer, length);
        *end = packet;
        end = &packet->next;
      }
    }
    while (first != NULL && first->due_ns <= now_ns()) {
      struct packet *packet = first;
      first = packet->next;
      if (first == NULL) end = &first;
      if (write(polls[packet->to].fd, packet->bytes, packet->length) < 0) perror("write");
      free(packet);
    }
  }
}

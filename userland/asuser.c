/* asuser USER PROGRAM ARGUMENTS...: runs a program as the user and group with this number. */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    long user = count > 2 ? strtol(arguments[1], NULL, 10) : -1;

    if (user < 0) {
        fprintf(stderr, "usage: asuser USER PROGRAM ARGUMENTS...\n");
        return 2;
    }
    if (setgroups(0, NULL) || setgid(user) || setuid(user)) {
        perror("asuser");
        return 1;
    }
    execvp(arguments[2], arguments + 2);
    perror(arguments[2]);
    return 127;
}

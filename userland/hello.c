/* hello: says what a process was started with. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    printf("hello from process %d, whose parent is %d\n", (int)getpid(), (int)getppid());
    for (int i = 0; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    return 0;
}

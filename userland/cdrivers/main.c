/* cdrivers: checks of the drivers in C (modules/c), by what programs see of them. Their modules must be attached. */
#include "../calls/main.c"

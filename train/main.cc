#include "train/program.h"

int main(int argc, char** argv) { return fpo::train::Main(argc, argv); }

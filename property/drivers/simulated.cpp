// All properties in the simulated world: a program that searches and replays, see tool.hpp.
#include <acairo/tool.hpp>

int main(int argc, char** argv) { return acairo::simulator::tool(argc, argv); }

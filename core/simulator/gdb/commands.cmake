# Writes OUTPUT: the text of SCRIPT, as acairo::simulator::debugger_commands.
file(READ "${script}" text)
file(CONFIGURE OUTPUT "${output}" @ONLY CONTENT [[
#include <acairo/debugger.hpp>

const char* const acairo::simulator::debugger_commands = R"acairo.py(@text@)acairo.py";
]])

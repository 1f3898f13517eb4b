# SPDX-License-Identifier: Apache-2.0
# Installs the library, builds README.md's example against it and runs that.
# Needs: SOURCE_DIR, BUILD_DIR, CONFIG, GENERATOR and COMPILER of drumbeat; WORK_DIR, a folder that is
# made anew and removed.

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The first C++ block after the heading of README.md.
function(extract_example to)
  file(READ ${SOURCE_DIR}/README.md text)
  string(FIND "${text}" "\n## The library on one page\n" heading)
  if(heading EQUAL -1)
    message(FATAL_ERROR "README.md has no section for the library")
  endif()
  string(SUBSTRING "${text}" ${heading} -1 text)
  string(FIND "${text}" "```cpp\n" begin)
  math(EXPR begin "${begin} + 7")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  file(WRITE ${to} "${text}")
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
# All there is; the list of what was installed is another one than that of `make install`.
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --config ${CONFIG} --component Unspecified
  --prefix ${WORK_DIR}/prefix)
file(COPY ${SOURCE_DIR}/tests/consumer/CMakeLists.txt DESTINATION ${WORK_DIR}/consumer)
extract_example(${WORK_DIR}/consumer/consumer.cc)
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${WORK_DIR}/consumer -B ${WORK_DIR}/build
  -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)

# A port that is free now.
execute_process(COMMAND python3 -c
  "import socket; s = socket.socket(); s.bind(('localhost', 0)); print(s.getsockname()[1])"
  OUTPUT_VARIABLE port OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WORK_DIR}/build/consumer localhost:${port} WORKING_DIRECTORY ${WORK_DIR}
  OUTPUT_VARIABLE output COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
if(NOT output STREQUAL "the sum is 42\n")
  message(FATAL_ERROR "README.md's example printed: ${output}")
endif()
file(REMOVE_RECURSE ${WORK_DIR})

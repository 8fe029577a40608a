/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this file an archive, and is it safe to read?
 *
 * HDF5's metadata is a graph that a damaged or hostile file can make HDF5
 * crash or loop on. So a child process opens the file first and walks all of
 * it; only when the child has come back does the parent open the same file.
 * Nothing but exactly what the schema says is accepted: a link, dataset, type
 * or filter that the writer never makes is refused by name.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive.h"
#include "common/error.h"
#include "frame.h"

/* Exit statuses of the child. */
enum probe_result { PROBE_FINE, PROBE_REFUSED = 3 };

/* A trace of 1e10 events takes the child about a second. */
#define PROBE_CPU_SECONDS  30
#define PROBE_WALL_SECONDS 300
#define PROBE_MEMORY_BYTES (1u << 30)

/* A superblock older than this has no checksum (HDF5 File Format Specification, II.A). */
#define SUPERBLOCK_VERSION_MIN 2

static int refuse(const char *path, const char *group, const char *name, const char *what)
{
	return fail("%s: /%s%s%s %s; the file is damaged or was not written by Sky: restore it or "
		    "convert its stream again",
		    path, group, *name ? "/" : "", name, what);
}

static int refuse_hdf5(const char *path, const char *group, const char *name)
{
	char what[300];

	snprintf(what, sizeof(what), "cannot be opened (%s)", archive_reason());
	return refuse(path, group, name, what);
}

/* Soft, external and user-defined links could lead anywhere. */
static int check_link(hid_t parent, const char *path, const char *group, const char *name,
		      const char *member, H5O_type_t type)
{
	H5L_info_t link;
	H5O_info_t object;

	if (H5Lget_info(parent, member, &link, H5P_DEFAULT) < 0)
		return refuse_hdf5(path, group, name);
	if (link.type != H5L_TYPE_HARD)
		return refuse(path, group, name, "is a soft or external link");
	if (H5Oget_info_by_name2(parent, member, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
		return refuse_hdf5(path, group, name);
	if (object.type != type)
		return refuse(path, group, name,
			      type == H5O_TYPE_GROUP ? "is not a group" : "is not a dataset");
	return 0;
}

/* What is wrong with the form of a dataset that is open, or NULL. */
static const char *check_shape(hid_t dataset, const struct column *column, uint64_t *elements)
{
	hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
	const char *wrong = NULL;
	hsize_t size = 0;

	if (space < 0 || type < 0)
		wrong = "has no shape";
	else if (H5Sis_simple(space) <= 0 || H5Sget_simple_extent_ndims(space) != 1 ||
		 H5Sget_simple_extent_dims(space, &size, NULL) != 1)
		wrong = "is not one-dimensional";
	else if (H5Tequal(type, archive_type(column->type)) <= 0)
		wrong = "has a wrong type";
	*elements = size;
	H5Tclose(type);
	H5Sclose(space);
	return wrong;
}

static bool has_our_filters(hid_t plist)
{
	const H5Z_filter_t filters[FILTERS] = {
		[FILTER_BLOSC] = ARCHIVE_BLOSC,
		[FILTER_FLETCHER32] = H5Z_FILTER_FLETCHER32,
	};

	if (H5Pget_nfilters(plist) != FILTERS)
		return false;
	for (unsigned i = 0; i < FILTERS; i++) {
		unsigned flags;
		size_t parameters = 0;

		if (H5Pget_filter2(plist, i, &flags, &parameters, NULL, 0, NULL, NULL) !=
		    filters[i])
			return false;
	}
	return true;
}

/* What is wrong with how its elements are stored, or NULL. */
static const char *check_storage(hid_t dataset, uint64_t elements, uint64_t *chunk)
{
	hid_t plist = H5Dget_create_plist(dataset);
	const char *wrong = NULL;
	hsize_t size = 0;

	if (plist < 0 || H5Pget_layout(plist) != H5D_CHUNKED || H5Pget_chunk(plist, 1, &size) != 1)
		wrong = "is not stored in chunks";
	else if (!size || size > ARCHIVE_CHUNK || (elements > size && size != ARCHIVE_CHUNK))
		wrong = "has chunks of a wrong size";
	else if (!has_our_filters(plist))
		wrong = "is not stored with Blosc and then fletcher32";
	*chunk = size;
	H5Pclose(plist);
	return wrong;
}

static int open_column(struct archive_table *table, size_t i, hid_t group, const char *path)
{
	const struct column *column = &table->columns[i];
	const char *name = event_kinds[table->kind].name, *wrong;
	hid_t dataset;

	if (check_link(group, path, name, column->name, column->name, H5O_TYPE_DATASET))
		return -1;
	dataset = table->datasets[i] = H5Dopen2(group, column->name, H5P_DEFAULT);
	if (dataset < 0)
		return refuse_hdf5(path, name, column->name);
	wrong = check_shape(dataset, column, &table->elements[i]);
	if (!wrong)
		wrong = check_storage(dataset, table->elements[i], &table->chunk[i]);
	if (!wrong && column->role != COLUMN_ELEMENTS && table->elements[i] != table->elements[0])
		wrong = "has a wrong number of rows";
	/* seq comes first, and its rows are known */
	if (!wrong && column->role == COLUMN_ELEMENTS &&
	    table->elements[i] / (FRAME_BYTES_MAX / column->width) > table->rows)
		wrong = "has more elements than its rows could hold";
	table->rows = table->elements[0];
	return wrong ? refuse(path, name, column->name, wrong) : 0;
}

static int read_number_attribute(hid_t object, const char *name, uint64_t *value)
{
	hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
	hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
	int rc = -1;

	if (attribute >= 0 && type >= 0 && space >= 0 && H5Tequal(type, H5T_STD_U64LE) > 0 &&
	    H5Sget_simple_extent_type(space) == H5S_SCALAR &&
	    H5Aread(attribute, H5T_STD_U64LE, value) >= 0)
		rc = 0;
	H5Sclose(space);
	H5Tclose(type);
	H5Aclose(attribute);
	return rc;
}

static int open_columns(struct archive_table *table, hid_t group, const char *path)
{
	const char *name = event_kinds[table->kind].name;
	uint64_t events;
	H5G_info_t info;

	if (H5Gget_info(group, &info) < 0)
		return refuse_hdf5(path, name, "");
	for (size_t i = 0; i < table->count; i++)
		if (open_column(table, i, group, path))
			return -1;
	if (info.nlinks != table->count)
		return refuse(path, name, "", "has columns that this version doesn't know");
	if (!table->rows)
		return refuse(path, name, "", "has no rows");
	if (read_number_attribute(group, "events", &events) || events != table->rows)
		return refuse(path, name, "", "does not say how many rows it has");
	return 0;
}

int archive_open_table(struct archive_table *table, hid_t file, const char *path,
		       enum event_kind kind)
{
	const char *name = event_kinds[kind].name;
	htri_t exists = H5Lexists(file, name, H5P_DEFAULT);
	hid_t group;
	int rc;

	memset(table, 0, sizeof(*table));
	table->kind = kind;
	table->count = archive_columns(kind, table->columns);
	for (size_t i = 0; i < table->count; i++)
		table->datasets[i] = H5I_INVALID_HID;
	if (exists < 0)
		return refuse_hdf5(path, name, "");
	if (!exists)
		return 0;
	if (check_link(file, path, name, "", name, H5O_TYPE_GROUP))
		return -1;
	group = H5Gopen2(file, name, H5P_DEFAULT);
	if (group < 0)
		return refuse_hdf5(path, name, "");
	rc = open_columns(table, group, path);
	H5Gclose(group);
	if (rc)
		archive_close_table(table);
	return rc;
}

void archive_close_table(struct archive_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->datasets[i] >= 0)
			H5Dclose(table->datasets[i]);
		table->datasets[i] = H5I_INVALID_HID;
	}
	table->rows = 0;
}

static int check_format(hid_t file, const char *path)
{
	hid_t attribute = H5Aopen(file, "format", H5P_DEFAULT);
	hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
	char format[sizeof(ARCHIVE_FORMAT)] = "";
	uint64_t version = 0;

	if (attribute >= 0 && type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING &&
	    H5Tis_variable_str(type) == 0 && H5Tget_size(type) == sizeof(format) - 1 &&
	    H5Sget_simple_extent_type(space) == H5S_SCALAR)
		H5Aread(attribute, type, format);
	H5Sclose(space);
	H5Tclose(type);
	H5Aclose(attribute);
	if (strcmp(format, ARCHIVE_FORMAT))
		return fail("%s is an HDF5 file but not a Sky archive; make one with sky record, "
			    "import or convert",
			    path);
	if (read_number_attribute(file, "format_version", &version) || version != ARCHIVE_VERSION)
		return fail("%s is an archive of version %llu, but this Sky reads version %d; use "
			    "the Sky that wrote it",
			    path, (unsigned long long)version, ARCHIVE_VERSION);
	return 0;
}

/* One foreign link is reported; 1 stops the iteration. */
static herr_t check_root_link(hid_t root, const char *name, const H5L_info_t *info, void *path)
{
	for (size_t k = 0; k < EVENT_KINDS; k++)
		if (!strcmp(name, event_kinds[k].name))
			return 0;
	refuse(path, name, "", "is nothing that this version knows");
	return 1;
}

static int check_root(hid_t file, const char *path)
{
	H5F_info2_t info;
	herr_t rc;

	if (H5Fget_info2(file, &info) < 0)
		return refuse_hdf5(path, "", "");
	if (info.super.version < SUPERBLOCK_VERSION_MIN)
		return refuse(path, "", "", "is in an old HDF5 format without checksums");
	if (check_format(file, path))
		return -1;
	rc = H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, check_root_link, (void *)path);
	if (rc < 0)
		return refuse_hdf5(path, "", "");
	return rc ? -1 : 0;
}

hid_t archive_open_file(const char *path)
{
	hid_t file;

	if (access(path, R_OK)) {
		fail_errno(errno, "cannot open %s", path);
		return H5I_INVALID_HID;
	}
	file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
	if (file < 0) {
		fail("%s is not an archive, or damaged or cut off (%s): restore it or convert its "
		     "stream again",
		     path, archive_reason());
		return H5I_INVALID_HID;
	}
	if (check_root(file, path)) {
		H5Fclose(file);
		return H5I_INVALID_HID;
	}
	return file;
}

/* Counting walks the whole chunk index; a chunk left out would read as zeros. */
static int check_chunks(const struct archive_table *table, const char *path)
{
	const char *name = event_kinds[table->kind].name;

	for (size_t i = 0; table->rows && i < table->count; i++) {
		hid_t space = H5Dget_space(table->datasets[i]);
		hsize_t chunks, size = table->chunk[i];
		herr_t rc = H5Dget_num_chunks(table->datasets[i], space, &chunks);

		H5Sclose(space);
		if (rc < 0)
			return refuse_hdf5(path, name, table->columns[i].name);
		if (chunks != table->elements[i] / size + (table->elements[i] % size != 0))
			return refuse(path, name, table->columns[i].name, "lacks chunks");
	}
	return 0;
}

static int walk(const char *path)
{
	struct archive_table table;
	hid_t file = archive_open_file(path);

	if (file < 0)
		return -1;
	for (size_t k = 0; k < EVENT_KINDS; k++) {
		if (archive_open_table(&table, file, path, k) || check_chunks(&table, path))
			return -1;
		archive_close_table(&table);
	}
	return 0;
}

static void limit(int resource, rlim_t amount)
{
	const struct rlimit limit = {amount, amount};

	/* a lower limit that is in force already is as good */
	setrlimit(resource, &limit);
}

static void limit_probe(void)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, PROBE_CPU_SECONDS);
#ifndef __SANITIZE_ADDRESS__
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (statm && fscanf(statm, "%lu", &pages) == 1)
		limit(RLIMIT_AS, pages * sysconf(_SC_PAGESIZE) + PROBE_MEMORY_BYTES);
	if (statm)
		fclose(statm);
#endif
}

static void __attribute__((noreturn)) run_probe(const char *path)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &by_default, NULL);
	alarm(PROBE_WALL_SECONDS);
	limit_probe();
	archive_enter_hdf5();
	_exit(walk(path) ? PROBE_REFUSED : PROBE_FINE);
}

int archive_probe(const char *path)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return fail_errno(errno, "cannot start a process that looks at %s", path);
	if (!child)
		run_probe(path);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "cannot wait for the process that looks at %s",
					  path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_FINE)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_REFUSED)
		return -1; /* the child said why */
	return fail("%s is damaged so that HDF5 cannot even list it: restore it or convert its "
		    "stream again",
		    path);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sources, and the control device through which a collector maps their rings.
 *
 * A ring's pages are the kernel's, mapped twice behind each other; the collector
 * maps the same pages. It lives as long as the open file that attached it: a
 * source that ends before marks it, an open file that ends before detaches it.
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "sky_ioctl.h"
#include "sky_source.h"

struct sky_mapping {
	struct sky_ring ring;
	struct page **pages;	   /* the positions', then the records', then the records' again */
	unsigned long page_count;  /* without the repetition */
	struct sky_source *source; /* NULL: it is gone */
};

static LIST_HEAD(sources);
static DEFINE_MUTEX(sources_lock); /* the list, and who is attached to what */

static struct sky_source *source_find(const char *name)
{
	struct sky_source *source;

	list_for_each_entry(source, &sources, all)
		if (!strcmp(source->name, name))
			return source;
	return NULL;
}

int sky_source_register(struct sky_source *source, const char *name)
{
	int rc = 0;

	if (strscpy(source->name, name, sizeof(source->name)) < 0)
		return -ENAMETOOLONG;
	RCU_INIT_POINTER(source->mapping, NULL);
	mutex_lock(&sources_lock);
	if (source_find(name))
		rc = -EEXIST;
	else
		list_add_tail(&source->all, &sources);
	mutex_unlock(&sources_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(sky_source_register);

static struct sky_mapping *mapping_of(struct sky_source *source)
{
	return rcu_dereference_protected(source->mapping, lockdep_is_held(&sources_lock));
}

void sky_source_unregister(struct sky_source *source)
{
	struct sky_mapping *mapping;

	mutex_lock(&sources_lock);
	list_del(&source->all);
	mapping = mapping_of(source);
	RCU_INIT_POINTER(source->mapping, NULL);
	synchronize_rcu();
	if (mapping) {
		WRITE_ONCE(mapping->ring.page->ended, 1);
		mapping->source = NULL;
	}
	mutex_unlock(&sources_lock);
}
EXPORT_SYMBOL_GPL(sky_source_unregister);

struct sky_ring *sky_source_ring(const struct sky_source *source)
{
	struct sky_mapping *mapping = rcu_dereference(source->mapping);

	return mapping ? &mapping->ring : NULL;
}
EXPORT_SYMBOL_GPL(sky_source_ring);

void sky_source_lose(const struct sky_source *source)
{
	struct sky_ring *ring;

	rcu_read_lock();
	ring = sky_source_ring(source);
	if (ring)
		sky_add(&ring->page->lost, 1);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(sky_source_lose);

static void mapping_free(struct sky_mapping *mapping)
{
	unsigned long i;

	if (mapping->ring.page)
		vunmap(mapping->ring.page);
	for (i = 0; mapping->pages && i < mapping->page_count; i++)
		if (mapping->pages[i])
			__free_page(mapping->pages[i]);
	kvfree(mapping->pages);
	kfree(mapping);
}

static struct sky_mapping *mapping_new(u64 bytes)
{
	struct sky_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	unsigned long records = bytes >> PAGE_SHIFT, i;

	if (!mapping)
		return NULL;
	mapping->page_count = 1 + records;
	mapping->pages = kvcalloc(1 + 2 * records, sizeof(*mapping->pages), GFP_KERNEL);
	if (!mapping->pages)
		goto free_mapping;
	for (i = 0; i < mapping->page_count; i++) {
		mapping->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!mapping->pages[i])
			goto free_mapping;
	}
	memcpy(mapping->pages + 1 + records, mapping->pages + 1, records * sizeof(*mapping->pages));
	mapping->ring.page = vmap(mapping->pages, 1 + 2 * records, VM_MAP, PAGE_KERNEL);
	if (!mapping->ring.page)
		goto free_mapping;
	mapping->ring.records = (char *)mapping->ring.page + PAGE_SIZE;
	mapping->ring.bytes = bytes;
	mapping->ring.page->version = SKY_RING_VERSION;
	mapping->ring.page->bytes = bytes;
	return mapping;

free_mapping:
	mapping_free(mapping);
	return NULL;
}

/* The file's mapping and the source's are set together, so that each finds the other. */
static int attach(struct file *file, const struct sky_attach *wanted)
{
	struct sky_mapping *mapping = mapping_new(wanted->bytes);
	struct sky_source *source;
	int rc = 0;

	if (!mapping)
		return -ENOMEM;
	mutex_lock(&sources_lock);
	source = source_find(wanted->name);
	if (!source)
		rc = -ENOENT;
	else if (file->private_data || mapping_of(source))
		rc = -EBUSY;
	if (!rc) {
		strscpy(mapping->ring.page->name, source->name, SKY_RING_NAME_BYTES);
		mapping->source = source;
		file->private_data = mapping;
		rcu_assign_pointer(source->mapping, mapping);
	}
	mutex_unlock(&sources_lock);
	if (rc)
		mapping_free(mapping);
	return rc;
}

static int ioctl_attach(struct file *file, const void __user *argument)
{
	struct sky_attach wanted;

	if (copy_from_user(&wanted, argument, sizeof(wanted)))
		return -EFAULT;
	if (!is_power_of_2(wanted.bytes) || wanted.bytes < PAGE_SIZE ||
	    wanted.bytes > SKY_RING_BYTES_MAX || !memchr(wanted.name, 0, sizeof(wanted.name)))
		return -EINVAL;
	return attach(file, &wanted);
}

static int ioctl_sources(void __user *argument)
{
	struct sky_sources list;
	struct sky_source *source;
	u32 count = 0;
	int rc = 0;

	if (copy_from_user(&list, argument, sizeof(list)))
		return -EFAULT;
	mutex_lock(&sources_lock);
	list_for_each_entry(source, &sources, all) {
		char __user *to = u64_to_user_ptr(list.names) + count * SKY_RING_NAME_BYTES;

		if (count++ < list.count && copy_to_user(to, source->name, sizeof(source->name)))
			rc = -EFAULT;
	}
	mutex_unlock(&sources_lock);
	list.count = count;
	if (!rc && copy_to_user(argument, &list, sizeof(list)))
		rc = -EFAULT;
	return rc;
}

static int ioctl_select(struct file *file, const void __user *argument)
{
	struct sky_select *select = memdup_user(argument, sizeof(*select));
	struct sky_mapping *mapping;
	int rc = -EINVAL;

	if (IS_ERR(select))
		return PTR_ERR(select);
	mutex_lock(&sources_lock);
	mapping = file->private_data;
	if (memchr(select->text, 0, sizeof(select->text)) && mapping && mapping->source &&
	    mapping->source->ops)
		rc = mapping->source->ops->select(mapping->source, select);
	mutex_unlock(&sources_lock);
	kfree(select);
	return rc;
}

static long sky_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (command) {
	case SKY_ABI:
		return SKY_ABI_VERSION;
	case SKY_SOURCES:
		return ioctl_sources((void __user *)argument);
	case SKY_ATTACH:
		return ioctl_attach(file, (const void __user *)argument);
	case SKY_SELECT:
		return ioctl_select(file, (const void __user *)argument);
	default:
		return -ENOTTY;
	}
}

static int sky_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sky_mapping *mapping = READ_ONCE(file->private_data);

	if (!mapping)
		return -EINVAL;
	return vm_map_pages(vma, mapping->pages, mapping->page_count);
}

static int sky_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return 0;
}

static int sky_release(struct inode *inode, struct file *file)
{
	struct sky_mapping *mapping = file->private_data;

	if (!mapping)
		return 0;
	mutex_lock(&sources_lock);
	if (mapping->source) {
		RCU_INIT_POINTER(mapping->source->mapping, NULL);
		if (mapping->source->ops)
			mapping->source->ops->detached(mapping->source);
	}
	mutex_unlock(&sources_lock);
	synchronize_rcu();
	mapping_free(mapping);
	return 0;
}

static const struct file_operations sky_fops = {
	.owner = THIS_MODULE,
	.open = sky_open,
	.release = sky_release,
	.unlocked_ioctl = sky_ioctl,
	.mmap = sky_mmap,
};

static struct miscdevice sky_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sky",
	.mode = 0600,
	.fops = &sky_fops,
};
module_misc_device(sky_device);

MODULE_DESCRIPTION("Sky: event rings between the kernel and a collector");
MODULE_LICENSE("GPL");

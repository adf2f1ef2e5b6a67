namespace Quire.Traces.Analysis;

/// <summary>References that the page cache's users hold.</summary>
internal static partial class RefRuleTable
{
    private static RefRule[] Cache =>
    [
        RefRule.Of("block-buffers", "buffer-heads", null,
            "__find_get_block __find_get_block_* find_get_block_common __getblk __getblk_gfp __getblk_slow bdev_getblk sb_getblk grow_buffers grow_dev_page grow_dev_folio __bread __bread_gfp __breadahead* bh_lru_install invalidate_bh_lru* clean_bdev_bh_alias clean_bdev_aliases unmap_underlying_metadata",
            "fs/buffer.c __find_get_block_slow(), grow_dev_folio(); http://lists.infradead.org/pipermail/linux-arm-kernel/2012-August/116590.html"),
        RefRule.Of("journal", "buffer-heads", null, "jbd2_* __jbd2_* journal_submit_* journal_finish_* do_get_write_access release_buffer_page release_buffer_folio kjournald2 journal_get_* __journal_* ocfs2_journal_*", "fs/jbd2/commit.c, fs/jbd2/transaction.c"),
        RefRule.Of("pte-mapping-fault", "mapping", Take,
            "filemap_map_pages next_uptodate_page next_uptodate_folio first_map_page next_map_page filemap_map_folio_range filemap_map_order0_folio filemap_map_pmd do_fault_around", "mm/filemap.c filemap_map_pages(): fault-around takes one reference a page it maps"),
        RefRule.Of("fault-around-end", "page-fault", Put, "filemap_map_pages next_uptodate_page next_uptodate_folio do_fault_around", "mm/filemap.c filemap_map_pages(): of a page that it did not map"),
        RefRule.Of("splice-read-end", "page-cache-reader", Put, "filemap_splice_read shmem_file_splice_read", "mm/filemap.c filemap_splice_read(): the batch it looked up"),
        RefRule.Of("read", "page-cache-reader", null,
            "filemap_read filemap_get_pages filemap_get_read_batch filemap_create_folio filemap_update_page filemap_read_page filemap_read_folio generic_file_buffered_read generic_file_buffered_read_* do_generic_file_read shmem_file_read_iter filemap_end_dropbehind* "
            + "do_read_cache_folio do_read_cache_page read_cache_page read_cache_page_gfp read_cache_folio mapping_read_folio_gfp", "mm/filemap.c filemap_get_read_batch()"),
        RefRule.Of("read-ahead", "page-cache-reader", null,
            "page_cache_ra_unbounded page_cache_ra_order ra_alloc_folio do_page_cache_ra force_page_cache_ra force_page_cache_readahead __do_page_cache_readahead ondemand_readahead page_cache_sync_ra page_cache_async_ra page_cache_sync_readahead page_cache_async_readahead do_sync_mmap_readahead do_async_mmap_readahead "
            + "read_pages readahead_expand readahead_folio mpage_readahead mpage_readpages iomap_readahead iomap_readpages* ext4_mpage_readpages ext4_readpages xfs_vm_readahead extent_readahead extent_readpages btrfs_readahead f2fs_mpage_readpages fuse_readahead* fuse_readpages nfs_readahead nfs_readpages netfs_readahead cifs_readahead cifs_readpages "
            + "read_cache_pages blkdev_readahead", "mm/readahead.c page_cache_ra_unbounded()"),
        RefRule.Of("read-complete", "page-cache-reader", Put, "mpage_read_end_io end_buffer_async_read* iomap_read_end_io iomap_finish_folio_read fuse_readpages_end nfs_read_completion netfs_rreq_unlock* netfs_unlock_read_folio f2fs_read_end_io end_bbio_data_read end_bio_extent_readpage",
            "fs/mpage.c mpage_read_end_io()"),
        RefRule.Of("buffered-write", "page-cache-writer", null,
            "generic_perform_write __generic_file_write_iter generic_write_end block_write_begin block_write_end __block_write_begin* grab_cache_page_write_begin pagecache_write_begin cont_write_begin iomap_write_begin iomap_write_end iomap_write_iter iomap_file_buffered_write iomap_get_folio __iomap_get_folio iomap_zero_range* iomap_file_unshare "
            + "ext4_write_begin ext4_write_end ext4_da_write_begin ext4_da_write_end ext4_journalled_write_end ext4_block_zero_page_range __ext4_block_zero_page_range ext2_write_begin simple_write_begin simple_write_end shmem_write_begin shmem_write_end fuse_perform_write fuse_fill_write_pages fuse_send_write_pages cifs_write_begin cifs_write_end nfs_write_begin "
            + "nfs_write_end netfs_write_begin netfs_perform_write btrfs_buffered_write prepare_pages prepare_one_folio btrfs_drop_pages f2fs_write_begin f2fs_write_end", "mm/filemap.c generic_perform_write()"),
        RefRule.Of("page-mkwrite", "page-fault", null, "ext4_page_mkwrite block_page_mkwrite iomap_page_mkwrite filemap_page_mkwrite do_page_mkwrite xfs_filemap_page_mkwrite btrfs_page_mkwrite nfs_vm_page_mkwrite fault_dirty_shared_page wp_page_shared do_shared_fault", "mm/memory.c do_page_mkwrite()"),
        RefRule.Of("truncate", "truncation", null,
            "truncate_inode_pages_range truncate_inode_pages truncate_inode_pages_final truncate_pagecache truncate_pagecache_range truncate_setsize truncate_inode_folio truncate_inode_page truncate_inode_partial_folio invalidate_mapping_pages invalidate_mapping_pagevec __invalidate_mapping_pages mapping_try_invalidate invalidate_inode_pages2 invalidate_inode_pages2_range "
            + "invalidate_complete_folio2 invalidate_complete_page2 mapping_evict_folio invalidate_inode_page invalidate_bdev drop_pagecache_sb shmem_undo_range shmem_truncate_range generic_fadvise sys_fadvise64* evict_inode kill_bdev",
            "mm/truncate.c truncate_inode_pages_range(), mapping_try_invalidate()"),
        RefRule.Of("ext4-bitmaps", "file-system", null, "ext4_mb_*", "fs/ext4/mballoc.c ext4_mb_load_buddy_gfp(): pages of the buddy cache"),
        RefRule.Of("fs-nodes", "file-system", null,
            "f2fs_get_meta_page* __get_meta_page f2fs_grab_meta_page f2fs_get_node_page __get_node_page f2fs_get_node_folio f2fs_put_page f2fs_put_dnode alloc_extent_buffer find_extent_buffer* btrfs_release_extent_buffer* attach_extent_buffer_* nfs_readdir_* nfs_symlink* ext2_get_page ext2_get_folio ext2_put_page "
            + "dir_get_page dir_get_folio ufs_get_page ufs_get_folio minix_readdir page_get_link page_put_link page_readlink __page_get_link squashfs_* z_erofs_* erofs_* cramfs_*", "fs/f2fs/node.c, fs/ext2/dir.c, fs/namei.c page_get_link()"),
        RefRule.Of("cache-lookup", "page-cache-reader", null,
            "__filemap_get_folio* filemap_get_folio filemap_get_folios* filemap_get_entry mapping_get_entry find_get_entry find_get_entries find_lock_entry find_lock_entries find_get_pages* find_get_page pagecache_get_page find_lock_page find_or_create_page pagevec_lookup* filemap_grab_folio grab_cache_page_nowait shmem_get_folio* shmem_getpage* lookup_swap_cache swap_cache_get_folio __read_swap_cache_async",
            "mm/filemap.c filemap_get_entry()", strength: Weak),
    ];
}

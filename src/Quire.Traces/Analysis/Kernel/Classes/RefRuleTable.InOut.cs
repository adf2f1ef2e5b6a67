namespace Quire.Traces.Analysis;

/// <summary>References that transfers hold: pipes, direct and asynchronous I/O, writeback, the network.</summary>
internal static partial class RefRuleTable
{
    private const string DirectPath =
        "bio_iov_iter_get_pages* __bio_iov_iter_get_pages bio_iov_add_page blkdev_direct_IO __blkdev_direct_IO* __iomap_dio_rw iomap_dio_rw iomap_dio_bio_iter iomap_dio_bio_actor iomap_dio_iter iomap_dio_actor do_blockdev_direct_IO "
        + "__blockdev_direct_IO do_direct_IO dio_refill_pages dio_get_page generic_file_direct_write fuse_get_user_pages fuse_direct_io nfs_direct_read_schedule_iovec nfs_direct_write_schedule_iovec nfs_file_direct_read nfs_file_direct_write "
        + "setup_aio_ctx_iter cifs_send_async_read cifs_write_from_iter netfs_extract_user_iter netfs_unbuffered_read_iter* netfs_unbuffered_write_iter* ceph_direct_read_write iter_get_bvecs_alloc __iter_get_bvecs p9_get_mapped_pages "
        + "blk_rq_map_user* bio_map_user_iov bio_integrity_map_user btrfs_direct_read btrfs_direct_write btrfs_dio_read btrfs_dio_write ext4_dio_read_iter ext4_dio_write_iter xfs_file_dio_read xfs_file_dio_write* xfs_file_dio_aio_* "
        + "vhost_scsi_map_to_sgl vhost_scsi_map_iov_to_sgl sgl_map_user_pages extract_user_to_sg extract_iter_to_sg zonefs_file_dio_* f2fs_dio_*";

    private const string AsyncCall =
        "io_submit_one __io_submit_one aio_read aio_write sys_io_submit io_submit_sqes io_submit_sqe __io_submit_sqe io_queue_sqe io_issue_sqe __io_issue_sqe io_read io_write __io_read __io_write io_uring_cmd io_wq_submit_work io_worker_handle_work "
        + "io_wqe_worker io_wq_worker io_sq_thread sys_io_uring_enter io_uring_enter";

    private const string SpliceCall =
        "generic_file_splice_read __generic_file_splice_read default_file_splice_read filemap_splice_read shmem_file_splice_read copy_splice_read do_splice_to splice_file_to_pipe splice_file_range splice_direct_to_actor do_splice_direct* do_splice do_sendfile sys_splice sys_sendfile* sys_tee sys_vmsplice";

    private static RefRule[] InOut =>
    [
        RefRule.Of("vmsplice", "pipe", null, "sys_vmsplice vmsplice_to_pipe iter_to_pipe get_iovec_page_array vmsplice_type do_vmsplice", "fs/splice.c vmsplice_to_pipe(), iter_to_pipe()"),
        RefRule.Of("splice-file", "pipe", Take, "splice_folio_into_pipe shmem_file_splice_read filemap_splice_read copy_page_to_iter_pipe __generic_file_splice_read spd_fill_page",
            "mm/filemap.c splice_folio_into_pipe(); lib/iov_iter.c copy_page_to_iter_pipe() before Linux 6.5"),
        RefRule.Of("splice-copy", "pipe", Take, "copy_page_to_iter* copy_folio_to_iter pipe_get_pages push_pipe append_pipe",
            "lib/iov_iter.c copy_page_to_iter() with an iterator over a pipe, Linux 4.9 to 6.4", SpliceCall),
        RefRule.Of("tee", "pipe", Take, "link_pipe splice_pipe_to_pipe generic_pipe_buf_get sys_tee pipe_buf_get", "fs/splice.c link_pipe(): tee and splice between pipes share pages"),
        RefRule.Of("fuse-splice", "pipe", null, "fuse_ref_page fuse_ref_folio fuse_dev_splice_read fuse_dev_splice_write fuse_try_move_page fuse_try_move_folio", "fs/fuse/dev.c fuse_ref_folio()"),
        RefRule.Of("pipe-release", "pipe", Put,
            "page_cache_pipe_buf_release user_page_pipe_buf_release generic_pipe_buf_release anon_pipe_buf_release pipe_buf_release pipe_read pipe_write free_pipe_info pipe_release put_pipe_info splice_from_pipe* __splice_from_pipe "
            + "iter_file_splice_write page_cache_pipe_buf_try_steal user_page_pipe_buf_try_steal spd_release_page sock_spd_release",
            "fs/splice.c page_cache_pipe_buf_release(), fs/pipe.c pipe_read()"),
        RefRule.Of("pipe-own", "pipe", Take, "pipe_write", "fs/pipe.c pipe_write(): a page of the pipe's own"),
        RefRule.Of("aio-direct", "async-io", null, DirectPath, "block/bio.c bio_iov_iter_get_pages(), of an io_uring or aio request", AsyncCall),
        RefRule.Of("direct", "direct-io", null, DirectPath, "block/bio.c bio_iov_iter_get_pages(), fs/iomap/direct-io.c, fs/direct-io.c dio_refill_pages(), fs/fuse/file.c fuse_get_user_pages(), fs/nfs/direct.c"),
        RefRule.Of("aio-complete", "async-io", Put, "blkdev_bio_end_io_async dio_bio_end_aio dio_aio_complete_work iomap_dio_complete_work fuse_aio_complete* nfs_direct_complete",
            "block/fops.c blkdev_bio_end_io_async(), fs/direct-io.c dio_bio_end_aio()"),
        RefRule.Of("aio-release", "async-io", Put, "bio_release_pages __bio_release_pages bio_check_pages_dirty dio_bio_complete", "block/bio.c __bio_release_pages(), at the end of an asynchronous request",
            under: "blkdev_bio_end_io_async dio_bio_end_aio dio_aio_complete_work iomap_dio_complete_work"),
        RefRule.Of("direct-complete", "direct-io", Put,
            "bio_release_pages __bio_release_pages bio_check_pages_dirty bio_dirty_fn bio_set_pages_dirty bio_unmap_user bio_release_page bio_uncopy_user __bio_unmap_user blk_rq_unmap_user dio_bio_complete dio_bio_end_io dio_cleanup dio_unpin_page "
            + "dio_complete iomap_dio_bio_end_io iomap_dio_submit_bio blkdev_bio_end_io blkdev_bio_end_io_simple fuse_release_user_pages nfs_direct_release_pages "
            + "nfs_direct_read_completion nfs_direct_write_completion cifs_uncached_writedata_release cifs_uncached_readdata_release put_bvecs bio_integrity_unmap_user bio_integrity_unpin_bvec p9_release_pages vhost_scsi_release_cmd*",
            "block/bio.c __bio_release_pages(), bio_dirty_fn(); fs/direct-io.c dio_bio_complete()"),
        RefRule.Of("aio-ring", "async-io", null, "aio_setup_ring aio_private_file aio_free_ring aio_migratepage aio_migrate_folio ioctx_alloc free_ioctx", "fs/aio.c aio_setup_ring(): the ring's own pages",
            advice: "It is the ring of an aio context, which lives until io_destroy or the process's end; its pages migrate by themselves since Linux 3.12, except while a completion is written: retry."),
        RefRule.Of("end-writeback", "writeback", null,
            "folio_end_writeback folio_end_writeback_no_dropbehind end_page_writeback ext4_finish_bio ext4_end_bio ext4_end_io_rsv_work ext4_release_io_end end_bio_bh_io_sync end_buffer_async_write iomap_finish_ioend* iomap_finish_folio_write iomap_writepage_end_bio "
            + "f2fs_write_end_io end_bbio_data_write end_bio_extent_writepage nfs_write_completion fuse_writepage_end fuse_writepage_finish* cifs_writev_complete writepages_finish mpage_end_io mpage_write_end_io end_swap_bio_write* sio_write_complete xfs_end_bio xfs_end_ioend",
            "mm/filemap.c folio_end_writeback(), fs/ext4/page-io.c ext4_finish_bio()"),
        RefRule.Of("writepages", "writeback", null,
            "write_cache_pages writeback_iter writeback_get_folio mpage_prepare_extent_to_map mpage_release_unused_pages mpage_process_page_bufs mpage_map_and_submit_buffers ext4_writepages ext4_do_writepages ext4_bio_write_page ext4_bio_write_folio __block_write_full_page "
            + "__block_write_full_folio block_write_full_page block_write_full_folio iomap_writepages iomap_do_writepage iomap_writepage_map xfs_vm_writepages extent_write_cache_pages btree_write_cache_pages extent_writepages btrfs_writepages f2fs_write_cache_pages "
            + "nfs_writepages nfs_page_async_flush nfs_do_writepage nfs_create_request nfs_page_create* nfs_clear_request nfs_free_request nfs_release_request nfs_commit_* fuse_writepages* fuse_writepage* cifs_writepages* cifs_extend_writeback netfs_writepages "
            + "ceph_writepages_start swap_writepage swap_writeout __swap_writepage pageout generic_writepages mpage_writepages writeout __writepage",
            "mm/page-writeback.c write_cache_pages(), fs/ext4/inode.c mpage_prepare_extent_to_map()"),
        RefRule.Of("wait-writeback", "writeback", null,
            "__filemap_fdatawait_range filemap_fdatawait_* file_write_and_wait_range filemap_write_and_wait* do_writepages __filemap_fdatawrite_range filemap_fdatawrite* sync_inodes_sb __writeback_single_inode writeback_sb_inodes wb_writeback",
            "mm/filemap.c __filemap_fdatawait_range()"),
        RefRule.Of("zerocopy-send", "network", Take,
            "__zerocopy_sg_from_iter zerocopy_sg_from_iter zerocopy_fill_skb_from_iter skb_zerocopy_iter_stream skb_zerocopy_iter_dgram skb_zerocopy skb_orphan_frags* rds_message_zcopy_from_user tls_setup_from_iter sk_msg_zerocopy_from_iter",
            "net/core/datagram.c __zerocopy_sg_from_iter() (MSG_ZEROCOPY)",
            advice: "The sender gets its pages back when the peer has acknowledged: read the completions from the error queue, and limit what may be in flight. Send small or slow data by copy."),
        RefRule.Of("splice-send", "network", Take, "skb_splice_from_iter tcp_sendpage tcp_sendpage_locked do_tcp_sendpages skb_append_pagefrags udp_sendpage ip_append_page inet_sendpage kernel_sendpage sock_sendpage pipe_to_sendpage tls_sw_sendpage* tls_sw_do_sendpage tls_device_sendpage "
            + "splice_to_socket unix_stream_sendpage", "net/core/skbuff.c skb_splice_from_iter(); net/ipv4/tcp.c do_tcp_sendpages() before Linux 6.5"),
        RefRule.Of("skb", "network", null,
            "skb_release_data skb_frag_unref __skb_frag_unref skb_frag_ref __skb_frag_ref skb_free_frag skb_free_head skb_copy_ubufs skb_try_coalesce skb_shift skb_split skb_segment* pskb_expand_head pskb_carve_* __pskb_pull_tail __pskb_trim skb_splice_bits __skb_splice_bits __splice_segment "
            + "tcp_clean_rtx_queue tcp_sendmsg tcp_sendmsg_locked skb_page_frag_refill sk_page_frag_refill sk_msg_* sk_psock_* page_pool_* __page_pool_* napi_pp_put_page page_frag_* __page_frag_* napi_alloc_* __napi_alloc_* netdev_alloc_* __netdev_alloc_* consume_skb kfree_skb* __kfree_skb net_rx_action tpacket_fill_skb",
            "net/core/skbuff.c skb_release_data(), net/core/page_pool.c"),
    ];
}

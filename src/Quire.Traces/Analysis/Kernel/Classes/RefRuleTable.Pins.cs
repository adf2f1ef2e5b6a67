namespace Quire.Traces.Analysis;

/// <summary>Pins of user memory: by GUP's callers. Where a caller is listed here, it takes pages with FOLL_LONGTERM or keeps them as long.</summary>
internal static partial class RefRuleTable
{
    private static RefRule[] Pins =>
    [
        RefRule.Of("io-uring-buffers", "long-term-pin", null,
            "io_sqe_buffer_register io_sqe_buffers_register io_pin_pages io_pin_pbuf_ring io_register_pbuf_ring io_register_rsrc io_region_pin_pages io_create_region* __io_sqe_buffers_update sys_io_uring_register __io_uring_register",
            "io_uring/rsrc.c io_sqe_buffer_register(), io_uring/memmap.c io_pin_pages() (FOLL_LONGTERM)"),
        RefRule.Of("io-uring-buffers-end", "long-term-pin", Put, "io_buffer_unmap io_sqe_buffers_unregister __io_sqe_buffers_unregister io_rsrc_put_work io_rsrc_node_ref_zero io_free_rsrc_node io_release_ubuf io_pages_free io_free_region io_unregister_pbuf_ring io_put_bl",
            "io_uring/rsrc.c io_buffer_unmap()"),
        RefRule.Of("rdma", "long-term-pin", null, "ib_umem_get ib_umem_release __ib_umem_release siw_umem_get siw_umem_release rds_pin_pages __rds_rdma_map rds_rdma_free_op hfi1_acquire_user_pages hfi1_release_user_pages qib_get_user_pages __qib_release_user_pages usnic_uiom_get_pages usnic_uiom_put_pages",
            "drivers/infiniband/core/umem.c ib_umem_get()"),
        RefRule.Of("vfio", "long-term-pin", null,
            "vfio_pin_pages_remote vaddr_get_pfns vaddr_get_pfn vfio_iommu_type1_pin_pages vfio_pin_map_dma vfio_dma_do_map vfio_iommu_type1_map_dma vfio_unpin_pages_remote vfio_unpin_page_external vfio_unmap_unpin vfio_remove_dma put_pfn vfio_pin_pages vfio_unpin_pages tce_iommu_* pfn_reader_user_pin pfn_reader_* "
            + "batch_unpin iopt_* iommufd_* mm_iommu_do_alloc mm_iommu_new mm_iommu_unpin",
            "drivers/vfio/vfio_iommu_type1.c vaddr_get_pfns(), vfio_pin_pages_remote()"),
        RefRule.Of("vhost-vdpa", "long-term-pin", null, "vhost_vdpa_pa_map vhost_vdpa_process_iotlb_update vhost_vdpa_process_iotlb_msg vhost_vdpa_pa_unmap vduse_dev_reg_umem vduse_dev_dereg_umem", "drivers/vhost/vdpa.c vhost_vdpa_pa_map()"),
        RefRule.Of("xdp", "long-term-pin", null, "xdp_umem_pin_pages xdp_umem_create xdp_umem_reg xdp_umem_unpin_pages xdp_umem_release xdp_put_umem", "net/xdp/xdp_umem.c xdp_umem_pin_pages()"),
        RefRule.Of("video", "long-term-pin", null,
            "get_vaddr_frames put_vaddr_frames vb2_create_framevec vb2_destroy_framevec vb2_dma_sg_get_userptr vb2_dma_sg_put_userptr vb2_dc_get_userptr vb2_dc_put_userptr vb2_vmalloc_get_userptr vb2_vmalloc_put_userptr videobuf_dma_init_user* videobuf_dma_free",
            "drivers/media/common/videobuf2/frame_vector.c get_vaddr_frames()"),
        RefRule.Of("gpu-userptr", "long-term-pin", null,
            "i915_gem_object_userptr_submit_init i915_gem_userptr_get_pages i915_gem_userptr_put_pages __i915_gem_userptr_get_pages_* i915_gem_userptr_* etnaviv_gem_userptr_get_pages etnaviv_gem_userptr_release g2d_userptr_get_dma_addr g2d_userptr_put_dma_addr amdgpu_ttm_tt_get_user_pages* amdgpu_ttm_tt_unpin_userptr "
            + "radeon_ttm_tt_pin_userptr radeon_ttm_tt_unpin_userptr xe_userptr_* vmw_mksstat_add_ioctl udmabuf_pin_folios udmabuf_create memfd_pin_folios unpin_folios",
            "drivers/gpu/drm/i915/gem/i915_gem_userptr.c, drivers/gpu/drm/etnaviv/etnaviv_gem.c"),
        RefRule.Of("virt-memory", "long-term-pin", null, "sev_pin_memory sev_unpin_memory sev_launch_update_data acrn_vm_map_user_memory acrn_vm_ram_map acrn_ioreq_init ne_set_user_memory_region_ioctl gntdev_* sgx_encl_add_page*", "arch/x86/kvm/svm/sev.c sev_pin_memory()"),
        RefRule.Of("device-memory", "long-term-pin", null, "register_shm_helper tee_shm_register* release_registered_pages dfl_afu_dma_* afu_dma_pin_pages afu_dma_unpin_pages hl_pin_host_memory hl_unpin_host_memory qp_host_get_user_memory qp_release_pages orangefs_bufmap_map orangefs_bufmap_unmap scif_pin_pages fastrpc_*",
            "drivers/tee/tee_shm.c, drivers/fpga/dfl-afu-dma-region.c, fs/orangefs/orangefs-bufmap.c"),
        RefRule.Of("process-vm", ShortPinName, null, "process_vm_rw_single_vec process_vm_rw_core process_vm_rw sys_process_vm_readv sys_process_vm_writev", "mm/process_vm_access.c process_vm_rw_single_vec()"),
        RefRule.Of("ptrace", ShortPinName, null, "access_remote_vm __access_remote_vm access_process_vm ptrace_access_vm mem_rw generic_access_phys get_cmdline get_mm_cmdline proc_pid_cmdline_read environ_read sys_ptrace access_remote_tags copy_remote_vm_str __copy_remote_vm_str",
            "mm/memory.c __access_remote_vm(): ptrace, /proc/PID/mem"),
        RefRule.Of("futex", ShortPinName, null, "get_futex_key fault_in_user_writeable futex_wake futex_wait futex_requeue futex_wait_setup sys_futex do_futex", "kernel/futex/core.c get_futex_key()"),
        RefRule.Of("exec-args", ShortPinName, null, "get_arg_page put_arg_page copy_strings copy_string_kernel copy_strings_kernel remove_arg_zero setup_arg_pages", "fs/exec.c get_arg_page()"),
        RefRule.Of("core-dump", ShortPinName, null, "get_dump_page dump_user_range elf_core_dump do_coredump vfs_coredump dump_emit_page", "mm/gup.c get_dump_page()",
            advice: "Wait until the core dump is written, or limit core dumps."),
        RefRule.Of("uprobes", ShortPinName, null, "uprobe_write_opcode is_trap_at_addr __replace_page uprobe_write set_orig_insn set_swbp install_breakpoint", "kernel/events/uprobes.c uprobe_write_opcode()"),
        RefRule.Of("kvm", ShortPinName, null,
            "hva_to_pfn hva_to_pfn_slow hva_to_pfn_fast __gfn_to_pfn* gfn_to_pfn* __gfn_to_page* gfn_to_page* kvm_follow_pfn __kvm_faultin_pfn kvm_faultin_pfn kvm_mmu_faultin_pfn direct_page_fault kvm_tdp_page_fault user_mem_abort kvm_release_pfn* kvm_release_page* kvm_release_faultin_page kvm_vcpu_map "
            + "__kvm_vcpu_map kvm_vcpu_unmap kvm_arch_setup_async_pf async_pf_execute kvm_prefetch_pages", "virt/kvm/kvm_main.c hva_to_pfn(): held until the guest's page table has it",
            advice: "Retry. Pages that a guest holds mapped for its own hardware (nested virtualization, kvm_vcpu_map) stay for as long as the guest runs there; give guests hugetlbfs memory."),
        RefRule.Of("brief-users", ShortPinName, null,
            "lookup_node do_get_mempolicy madvise_inject_error perf_virt_to_phys perf_get_page_size set_bit_to_user log_write user_event_enabler_write shstk_* rds_info_getsockopt lock_pages unlock_pages privcmd_* pin_goldfish_pages goldfish_pipe_* "
            + "hmm_range_fault get_user_page_vma_remote", "mm/mempolicy.c lookup_node(), drivers/vhost/vhost.c set_bit_to_user()"),
    ];

    private const string ShortPinName = RefClassTable.ShortPin;
}

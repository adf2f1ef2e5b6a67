namespace Quire.Traces.Analysis;

/// <summary>The rules, in the order in which they are tried at one frame. Names from Linux 4.6 on; a kernel has a part of them.</summary>
internal static partial class RefRuleTable
{
    private const RefRole Take = RefRole.Take;
    private const RefRole Put = RefRole.Put;
    private const RefStrength Weak = RefStrength.Weak;

    /// <summary>Functions of the tracing itself: they stand innermost, and in interrupts of their own anywhere.</summary>
    internal static readonly string[] Tracing =
    [
        "trace_event_raw_event_*", "trace_event_buffer_*", "trace_buffer_unlock_commit*", "trace_buffered_*", "trace_call_bpf", "trace_raw_output_*",
        "__traceiter_*", "__bpf_trace_*", "bpf_trace_run*", "bpf_prog_*", "bpf_get_stack*", "___bpf_prog_*", "perf_trace_*", "perf_tp_event*", "perf_swevent_*", "perf_callchain*", "get_perf_callchain",
        "__ftrace_trace_stack", "ftrace_*", "stack_trace_save*", "arch_stack_walk*", "save_stack_trace*", "event_triggers_*", "stacktrace_trigger*", "__page_ref_*", "__probestub_*",
        "perf_event_output*", "__perf_event_output*", "perf_prepare_sample", "return_to_handler",
    ];

    /// <summary>Functions that take or give back a reference for whoever calls them: they tell nothing.</summary>
    internal static readonly string[] Helpers =
    [
        "page_ref_*", "folio_ref_*", "folio_get", "get_page", "try_get_page", "get_page_unless_zero", "folio_try_get", "folio_try_get_rcu", "page_cache_get_speculative", "__page_cache_add_speculative",
        "page_cache_add_speculative", "try_get_compound_head", "try_get_folio", "try_grab_folio", "try_grab_folio_fast", "try_grab_page", "try_grab_compound_head", "undo_dev_pagemap",
        "folio_put", "__folio_put", "folio_put_refs", "put_page", "__put_page", "put_page_testzero", "folio_put_testzero", "put_page_refs", "put_compound_head", "__put_compound_page", "__put_single_page",
        "put_compound_page", "put_pages_list", "gup_put_folio", "free_folio", "release_pages", "folios_put_refs", "folios_put", "__pagevec_release", "__folio_batch_release", "pagevec_release",
        "free_unref_page*", "free_unref_folios", "free_hot_cold_page*", "free_frozen_pages", "__free_frozen_pages", "free_the_page", "__free_pages", "__free_pages_ok", "free_pages", "free_one_page", "free_pcppages_bulk",
        "set_page_refcounted", "set_page_count", "init_page_count", "folio_set_count", "__page_cache_release", "page_cache_release", "destroy_large_folio", "free_compound_page", "uncharge_*",
    ];

    /// <summary>Where work begins that has nothing to do with the frames further out: interrupts, softirqs, page faults.</summary>
    internal static readonly string[] Boundaries =
    [
        "asm_exc_page_fault", "exc_page_fault", "page_fault", "async_page_fault", "do_page_fault", "__do_page_fault", "do_user_addr_fault", "do_mem_abort", "do_translation_fault", "do_DataAbort", "do_PrefetchAbort",
        "handle_page_fault", "___do_page_fault", "do_async_page_fault",
        "asm_sysvec_*", "sysvec_*", "asm_common_interrupt", "common_interrupt", "__common_interrupt", "do_IRQ", "ret_from_intr", "apic_timer_interrupt", "smp_apic_timer_interrupt", "reschedule_interrupt",
        "call_function_interrupt", "call_function_single_interrupt", "handle_domain_irq", "__handle_domain_irq", "generic_handle_domain_irq", "gic_handle_irq", "handle_IPI", "ipi_handler", "el0_irq*", "el1_irq*", "el1_interrupt", "el0_interrupt",
        "el1h_64_irq*", "el0t_64_irq*", "__irq_svc", "__irq_usr", "do_softirq", "__do_softirq", "handle_softirqs", "do_softirq_own_stack", "____do_softirq", "irq_exit", "irq_exit_rcu", "__irq_exit_rcu",
        "handle_irq_event", "__handle_irq_event_percpu", "flush_smp_call_function_queue", "__flush_smp_call_function_queue", "generic_smp_call_function_single_interrupt", "run_ksoftirqd", "do_riscv_irq",
    ];

    /// <summary>Ways in: the kernel's entry, from a process or a thread of its own. They tell what runs, not why.</summary>
    internal static readonly string[] Entries =
    [
        "do_syscall_64", "do_syscall_x64", "x64_sys_call", "ia32_sys_call", "do_int80_syscall_32", "do_fast_syscall_32", "__do_fast_syscall_32", "do_SYSENTER_32", "entry_*", "el0_svc*", "el0t_64_sync*", "el0t_32_sync*", "el0_sync*",
        "invoke_syscall*", "do_el0_svc*", "ret_fast_syscall", "__sys_trace_return", "system_call*", "syscall_return*", "syscall_exit_*", "exit_to_user_*", "irqentry_*", "syscall_exit_to_user_mode*", "do_trap_ecall_u", "handle_syscall", "__do_syscall", "handle_exception",
        "ret_from_fork*", "ret_from_kernel_thread", "kernel_init", "start_kernel", "secondary_startup_64*", "x86_64_start_*", "cpu_startup_entry", "do_idle", "default_idle*", "asm_*", "ret_from_exception", "vfs_read", "vfs_write", "__vfs_read", "__vfs_write", "new_sync_read", "new_sync_write",
    ];

    internal static IReadOnlyList<RefRule> All { get; } = [.. Lists, .. InOut, .. Pins, .. Cache, .. Structure, .. Others, .. Generic];
}

using System.Runtime.InteropServices;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>Native callers made by hand: one that uses RBP for something else, and one that calls on another stack.</summary>
internal static unsafe partial class NativeThunk
{
    // push rbp; mov rbp, rsi; call rdi; pop rbp; ret
    private static readonly byte[] s_garbage = [0x55, 0x48, 0x89, 0xF5, 0xFF, 0xD7, 0x5D, 0xC3];

    // push rbp; push rbx; mov rbx, rsp; mov rsp, rsi; mov rbp, rdx; call rdi; mov rsp, rbx; pop rbx; pop rbp; ret
    private static readonly byte[] s_fibre = [0x55, 0x53, 0x48, 0x89, 0xE3, 0x48, 0x89, 0xF4, 0x48, 0x89, 0xD5, 0xFF, 0xD7, 0x48, 0x89, 0xDC, 0x5B, 0x5D, 0xC3];

    private static readonly delegate* unmanaged<delegate* unmanaged<int>, ulong, int> s_callWith = (delegate* unmanaged<delegate* unmanaged<int>, ulong, int>)Make(s_garbage);
    private static readonly delegate* unmanaged<delegate* unmanaged<int>, ulong, ulong, int> s_callOn = (delegate* unmanaged<delegate* unmanaged<int>, ulong, ulong, int>)Make(s_fibre);

    /// <summary>Calls back with a frame register that holds anything.</summary>
    internal static int CallWith(ulong frameRegister, delegate* unmanaged<int> callback) => s_callWith(callback, frameRegister);

    /// <summary>Calls back on a stack that ends at an address, a multiple of 16, with a frame register that holds anything.</summary>
    internal static int CallOn(ulong stack, ulong frameRegister, delegate* unmanaged<int> callback) => s_callOn(callback, stack, frameRegister);

    [LibraryImport("libc", EntryPoint = "qsort")]
    internal static partial void Sort(void* items, nuint count, nuint size, delegate* unmanaged<void*, void*, int> compare);

    [LibraryImport("libc", EntryPoint = "mmap")]
    internal static partial void* Map(void* address, nuint bytes, int protection, int flags, int file, nint offset);

    private static void* Make(byte[] code)
    {
        void* page = Map(null, 4096, 3, 0x22, -1, 0);
        code.CopyTo(new Span<byte>(page, code.Length));
        if (Protect(page, 4096, 5) != 0)
        {
            throw new InvalidOperationException("no executable memory");
        }

        return page;
    }

    [LibraryImport("libc", EntryPoint = "mprotect")]
    internal static partial int Protect(void* address, nuint bytes, int protection);
}

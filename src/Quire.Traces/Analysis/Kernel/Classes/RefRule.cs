namespace Quire.Traces.Analysis;

/// <summary>How sure a rule's functions make its class, once one of them is seen.</summary>
internal enum RefStrength
{
    /// <summary>The function says for whom the reference is: the innermost such frame decides.</summary>
    Strong,

    /// <summary>The function says how the reference came about, but serves many callers: it decides only where no other frame says more.</summary>
    Weak,
}

/// <summary>One rule: functions of the kernel of which any, in a stack, makes the reference one of a class. Immutable.</summary>
/// <param name="Id">Its name, unique.</param>
/// <param name="Class">The class's name.</param>
/// <param name="Role">Where it applies; null: at both.</param>
/// <param name="Strength">Against other rules that match the same stack.</param>
/// <param name="Functions">Any of these; one path's several frames, since static functions are inlined and names changed. <c>sys_x</c> stands for every spelling of a system call's entry, <c>x*</c> for every name that begins so.</param>
/// <param name="Under">Empty, or functions of which one must stand further out.</param>
/// <param name="Source">The kernel's file and function, or the commit or document, that shows it.</param>
/// <param name="Advice">What to do, where it differs from the class's advice.</param>
internal sealed record RefRule(string Id, string Class, RefRole? Role, RefStrength Strength, IReadOnlyList<string> Functions, IReadOnlyList<string> Under, string Source, string? Advice);
